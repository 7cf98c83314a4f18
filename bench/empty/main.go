// Empty is the least that an HTTP server written in Go can do: it reads the body and answers {}.
// The rates of Paddock are measured against it, on the same machine in the same run.
//
//	empty 127.0.0.1:8099
package main

import (
	"io"
	"log"
	"net/http"
	"os"
)

func main() {
	if len(os.Args) != 2 {
		log.Fatal("usage: empty ADDRESS")
	}
	log.Fatal(http.ListenAndServe(os.Args[1], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := io.Copy(io.Discard, r.Body); err != nil {
			return
		}
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, "{}")
	})))
}
