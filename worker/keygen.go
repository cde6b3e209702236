package main

import (
	"path/filepath"

	"veil/worker/disk"
	"veil/worker/proof"
	"veil/worker/text"
)

// keygenCmd is `veil keygen`.
type keygenCmd struct {
	Out string `short:"o" required:"" placeholder:"DIR" help:"Folder for veil.key and veil.pub; neither is ever overwritten."`
}

// Run makes a key and tells its fingerprint.
func (c *keygenCmd) Run(a *app) error {
	if err := disk.Make(c.Out); err != nil {
		return err
	}
	key, err := proof.MakeKey(c.Out)
	if err != nil {
		return err
	}
	private, public := filepath.Join(c.Out, proof.KeyName), filepath.Join(c.Out, proof.PublicName)
	if a.JSON {
		return a.printJSON(map[string]string{"key": private, "public": public, "fingerprint": key.ID()})
	}
	a.printf("key         %s: keep it where only the worker reads it, and a copy in a safe\n", text.Printable(private))
	a.printf("public      %s: give it to whoever checks\n", text.Printable(public))
	a.printf("fingerprint %s\n", key.ID())
	return nil
}
