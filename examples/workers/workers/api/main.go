// Command api answers search queries over HTTP from an index file that the
// index worker wrote.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"runtime"
	"syscall"
	"time"
)

// Set by the linker.
var (
	version = "dev"
	commit  = "unknown"
)

func main() {
	addr := flag.String("addr", "127.0.0.1:8080", "address to listen on")
	file := flag.String("index", "index.json", "index file to serve")
	static := flag.String("static", "", "folder of the front end to serve at /, if any")
	showVersion := flag.Bool("version", false, "print the version and exit")
	flag.Parse()

	if *showVersion {
		fmt.Printf("api %s (%s) %s/%s\n", version, commit, runtime.GOOS, runtime.GOARCH)
		return
	}
	if err := serve(*addr, *file, *static); err != nil {
		fmt.Fprintln(os.Stderr, "api:", err)
		os.Exit(1)
	}
}

// serve runs until INT or TERM, and then lets the requests that are under way
// finish.
func serve(addr, file, static string) error {
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	api := &server{file: file, static: static, log: log}
	if err := api.load(); err != nil {
		return err
	}

	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	go api.reload(ctx, 2*time.Second)

	httpServer := &http.Server{
		Addr:              addr,
		Handler:           api.handler(),
		ReadHeaderTimeout: 5 * time.Second,
		WriteTimeout:      30 * time.Second,
	}
	failed := make(chan error, 1)
	go func() { failed <- httpServer.ListenAndServe() }()
	log.Info("listening", "addr", addr, "version", version, "commit", commit)

	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	log.Info("stopping")
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := httpServer.Shutdown(ctx); err != nil && !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}
