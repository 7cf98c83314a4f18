package billing

import (
	"embed"

	"paddock/internal/kit/sqldb"
)

//go:embed migrations/*.sql
var migrations embed.FS

// Migrations are this room's tables.
func Migrations() sqldb.Source { return sqldb.Source{Room: "billing", FS: migrations} }
