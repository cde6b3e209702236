// Command build builds the S3 servers that tests run against, where they are missing: go run ./worker/store/servers/build.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"veil/worker/store/servers"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := servers.Build(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "servers:", err)
		os.Exit(1)
	}
}
