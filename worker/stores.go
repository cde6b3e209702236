package main

import "context"

// openStores opens the store and the sources that the flags name.
func (f *serviceFlags) openStores(_ context.Context, s *service) error {
	return failedf(codeStore, "use a build that has stores", "this build opens no stores")
}
