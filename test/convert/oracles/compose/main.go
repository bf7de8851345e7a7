// Loads Compose files with compose-go, the library of `docker compose`. Variables come from the environment, as there.
//
//	compose FILE...          each file: a line of JSON with the services of all profiles, or the error
//	compose --merge FILE...  the files as one project, as `docker compose -f A -f B` merges them: one line
//	compose --check FILE...  each file as `docker compose config` checks it: exits with 1 if one is refused
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/cli"
)

type service struct {
	Entrypoint  []string           `json:"entrypoint"`
	Command     []string           `json:"command"`
	Environment map[string]*string `json:"environment"`
}

type result struct {
	Error    string             `json:"error"`
	Services map[string]service `json:"services"`
}

func load(files []string) result {
	options, err := cli.NewProjectOptions(files, cli.WithOsEnv, cli.WithProfiles([]string{"*"}), cli.WithName("test"), cli.WithoutEnvironmentResolution)
	if err != nil {
		return result{Error: err.Error()}
	}
	project, err := options.LoadProject(context.Background())
	if err != nil {
		return result{Error: err.Error()}
	}
	services := map[string]service{}
	for name, one := range project.Services {
		services[name] = service{one.Entrypoint, one.Command, one.Environment}
	}
	return result{Services: services}
}

func check(file string) error {
	options, err := cli.NewProjectOptions([]string{file}, cli.WithOsEnv)
	if err == nil {
		_, err = options.LoadProject(context.Background())
	}
	return err
}

func main() {
	arguments := os.Args[1:]
	output := json.NewEncoder(os.Stdout)
	mode := ""
	if len(arguments) > 0 && (arguments[0] == "--merge" || arguments[0] == "--check") {
		mode, arguments = arguments[0], arguments[1:]
	}
	code := 0
	switch mode {
	case "--merge":
		if output.Encode(load(arguments)) != nil {
			code = 1
		}
	case "--check":
		for _, file := range arguments {
			if err := check(file); err != nil {
				fmt.Fprintf(os.Stderr, "%s: %v\n", file, err)
				code = 1
			}
		}
	default:
		for _, file := range arguments {
			if output.Encode(load([]string{file})) != nil {
				code = 1
			}
		}
	}
	os.Exit(code)
}
