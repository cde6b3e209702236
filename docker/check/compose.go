package check

import (
	"context"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// composeFile loads a file as Compose does: against the schema, with every name resolved.
func composeFile(ctx context.Context, path string) error {
	details := types.ConfigDetails{WorkingDir: ".", ConfigFiles: []types.ConfigFile{{Filename: path}}, Environment: types.Mapping{}}
	_, err := loader.LoadWithContext(ctx, details, loader.WithProfiles([]string{"*"}))
	return err
}
