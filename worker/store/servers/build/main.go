// Command build builds the S3 servers that tests run against, where they are missing: go run ./worker/store/servers/build.
// With the argument versitygw it builds that one alone and prints where it lies.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"veil/worker/store/servers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "servers:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	switch {
	case len(args) == 0:
		return servers.Build(ctx)
	case len(args) == 1 && args[0] == "versitygw":
		path, err := servers.VersitygwPath(ctx)
		if err == nil {
			fmt.Println(path)
		}
		return err
	}
	return errors.New("the only argument is versitygw")
}
