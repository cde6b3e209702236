package main

import (
	"os"
	"path/filepath"
	"strings"

	"veil/worker/disk"
	"veil/worker/evidence"
	"veil/worker/failure"
	"veil/worker/seal"
	"veil/worker/text"
)

// stampCmd is `veil stamp`.
type stampCmd struct {
	Out       string `arg:"" name:"out" help:"The derivative whose set lies beside it."`
	Statement int    `placeholder:"N" help:"Stamp the n-th later statement instead of the manifest."`
}

// Run writes the request for a time stamp beside what is to be stamped. Nothing is sent: that is the operator's network.
func (c *stampCmd) Run(a *app) error {
	stem := evidence.Stem(c.Out)
	from := stem + evidence.ManifestEnding
	request, answer := stem+evidence.RequestEnding, stem+evidence.StampEnding
	if c.Statement > 0 {
		from, answer = stem+evidence.StatementEnding(c.Statement), stem+evidence.StatementStampEnding(c.Statement)
		request = strings.TrimSuffix(answer, ".tsr") + ".tsq"
	}
	b, err := os.ReadFile(from)
	if err != nil {
		return failure.About(c.Out, failure.Usagef("name the derivative whose set lies beside it", "%s cannot be read: %s", disk.Base(from), disk.Plain(err)))
	}
	if _, err := seal.OpenEnvelope(b); err != nil {
		return failure.About(c.Out, failure.Usagef("sign first: a stamp is of the signature", "%s %s", disk.Base(from), err))
	}
	q, err := seal.StampRequest(b)
	if err != nil {
		return err
	}
	if err := disk.Replace(request, q, 0o644); err != nil {
		return err
	}
	if a.JSON {
		return a.printJSON(map[string]string{"request": request, "answer": answer})
	}
	a.printf("%s: send it to the authority, and put the answer beside it as %s\n", text.Printable(filepath.Base(request)), text.Printable(filepath.Base(answer)))
	return nil
}
