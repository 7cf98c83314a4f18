// Command paddock is the whole product: server, console and care of an installation in one binary.
package main

import (
	"os"

	"paddock/internal/app"
)

func main() {
	os.Exit(app.Main(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}
