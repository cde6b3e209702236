package store

import "fmt"

// Encryption is what the operator wants of a store. The zero value wants what is safest.
type Encryption string

// What can be wanted.
const (
	// Required: the store encrypts, and confirms it of every object. The default.
	Required Encryption = "required"
	// Declared: the operator answers for the disk below; records say "declared" where the store confirms nothing.
	Declared Encryption = "declared"
	// Off: nobody answers for anything; records say what the store confirms.
	Off Encryption = "off"
)

// declared is Object.Encryption where the operator answers for it.
const declared = "declared"

// valid gives the wish, with its default, or an error that lists what can be wished.
func (e Encryption) valid() (Encryption, error) {
	switch e {
	case "":
		return Required, nil
	case Required, Declared, Off:
		return e, nil
	}
	return "", fmt.Errorf("encryption of the store is %q: say required, declared or off", string(e))
}

// record is Object.Encryption for what the store confirms.
func (e Encryption) record(confirmed string) string {
	if confirmed == "" && e == Declared {
		return declared
	}
	return confirmed
}

// accept refuses an object of which the store does not confirm what is required.
func (e Encryption) accept(confirmed string) error {
	if e == Required && confirmed == "" {
		return fmt.Errorf("%w: it does not confirm that it encrypts: set up encryption at the store, or declare that of the disk", ErrUnsafe)
	}
	return nil
}
