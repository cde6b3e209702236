package main

import (
	"crypto/rand"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"time"

	"veil/worker/disk"
	"veil/worker/evidence"
	"veil/worker/failure"
	"veil/worker/proof"
	"veil/worker/seal"
	"veil/worker/text"
)

// statementCmd is `veil statement`.
type statementCmd struct {
	Kind      string `arg:"" enum:"release,disclosure,withdrawal,deletion" help:"What happened: ${enum}."`
	Out       string `arg:"" name:"out" help:"The derivative, or where it was: its set lies beside it."`
	By        string `required:"" placeholder:"NAME" help:"Who decided. Stands in the annex only, as do the next two."`
	Recipient string `placeholder:"TEXT" help:"To whom."`
	Reason    string `placeholder:"TEXT" help:"Why."`
}

// Run signs the next statement about a derivative and writes it beside the manifest, with its annex.
func (c *statementCmd) Run(a *app) error {
	key, err := a.signingKey(false)
	if err != nil {
		return err
	}
	if key == nil {
		return failure.Usagef("name it with --key", "a statement is signed, and there is no key")
	}
	if strings.TrimSpace(c.By) == "" {
		return failure.Usagef("say who decided", "--by must say something")
	}
	stem := evidence.Stem(c.Out)
	manifest, m, err := readManifest(stem)
	if err != nil {
		return failure.About(c.Out, err)
	}
	n, before, err := lastStatement(stem, seal.Digest(manifest))
	if err != nil {
		return failure.About(c.Out, err)
	}
	annex, err := seal.Annex{By: c.By, Recipient: c.Recipient, Reason: c.Reason}.Encode(rand.Reader)
	if err != nil {
		return err
	}
	b, err := seal.SealEvent(m.Derivative.SHA256, seal.Event{Kind: c.Kind, Manifest: seal.Digest(manifest), Seq: n + 1, Predecessor: before,
		Time: seal.Second(time.Now()), Annex: seal.Digest(annex)}, key)
	if err != nil {
		return err
	}
	path := stem + evidence.StatementEnding(n+1)
	if err := proof.WriteNew(stem+evidence.StatementAnnexEnding(n+1), annex, 0o600); err != nil {
		return err
	}
	if err := proof.WriteNew(path, b, 0o644); err != nil {
		return err
	}
	if a.JSON {
		return a.printJSON(map[string]any{"statement": path, "number": n + 1, "kind": c.Kind, "signed_by": key.ID()})
	}
	a.printf("%s: statement %d, signed by %s\n", text.Printable(filepath.Base(path)), n+1, key.ID())
	return nil
}

// readManifest reads the manifest of a set, signed or not.
func readManifest(stem string) ([]byte, seal.Manifest, error) {
	b, err := os.ReadFile(stem + evidence.ManifestEnding)
	if err != nil {
		return nil, seal.Manifest{}, failure.Usagef("name the derivative whose set lies beside it", "manifest cannot be read: %s", disk.Plain(err))
	}
	e, err := seal.OpenEnvelope(b)
	if err != nil && !errors.Is(err, seal.ErrUnsigned) {
		return nil, seal.Manifest{}, failure.Usagef("see `veil verify`", "the manifest %s", err)
	}
	m, err := seal.ParseManifest(e.Payload)
	if err != nil {
		return nil, seal.Manifest{}, failure.Usagef("see `veil verify`", "the manifest %s", err)
	}
	return b, m, nil
}

// lastStatement counts the statements that are there and gives the digest of the last, of the manifest where there is none. They
// must follow from each other.
func lastStatement(stem, manifest string) (n int, digest string, err error) {
	digest = manifest
	for {
		b, err := os.ReadFile(stem + evidence.StatementEnding(n+1))
		if errors.Is(err, os.ErrNotExist) {
			return n, digest, nil
		}
		if err != nil {
			return 0, "", failure.Usagef("check the file's owner and mode", "statement %d cannot be read: %s", n+1, disk.Plain(err))
		}
		e, err := seal.OpenEnvelope(b)
		if err != nil {
			return 0, "", failure.Usagef("see `veil verify`", "statement %d %s", n+1, err)
		}
		said, _, err := seal.ParseEvent(e.Payload)
		if err == nil {
			err = said.Follows(manifest, digest, n+1)
		}
		if err != nil {
			return 0, "", failure.Usagef("see `veil verify`", "statement %d %s", n+1, err)
		}
		n, digest = n+1, seal.Digest(b)
	}
}
