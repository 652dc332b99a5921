// Package migrations embeds the numbered SQL migrations. They only go forward.
package migrations

import "embed"

// FS holds the migrations, NNNN_name.sql, in goose's format.
//
//go:embed *.sql
var FS embed.FS
