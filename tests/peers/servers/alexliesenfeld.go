// github.com/alexliesenfeld/health, from Debian's golang-github-alexliesenfeld-health-dev.
package main

import (
	"context"
	"fmt"
	"log"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/alexliesenfeld/health"
)

func number(name string) int {
	value, err := strconv.Atoi(os.Getenv(name))
	if err != nil {
		log.Fatalf("expected a whole number in %s", name)
	}
	return value
}

func main() {
	takes := time.Duration(number("CHECK_MS")) * time.Millisecond
	var options []health.CheckerOption
	if os.Getenv("CACHE") != "on" {
		options = append(options, health.WithDisabledCache())
	}
	for index := 0; index < number("CHECKS"); index++ {
		options = append(options, health.WithCheck(health.Check{
			Name: fmt.Sprintf("check-%d", index),
			Check: func(context.Context) error {
				time.Sleep(takes)
				return nil
			},
		}))
	}
	http.Handle("/health", health.NewHandler(health.NewChecker(options...)))
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(listener.Addr())
	log.Fatal(http.Serve(listener, nil))
}
