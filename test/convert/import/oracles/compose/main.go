// Loads Compose files with compose-go, the library of `docker compose`, and prints for each a line of JSON: the program, the
// arguments and the variables of each service, or the error. Variables come from the environment, as there.
package main

import (
	"context"
	"encoding/json"
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

func load(file string) result {
	options, err := cli.NewProjectOptions([]string{file}, cli.WithOsEnv, cli.WithProfiles([]string{"*"}), cli.WithName("test"), cli.WithoutEnvironmentResolution)
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

func main() {
	output := json.NewEncoder(os.Stdout)
	for _, file := range os.Args[1:] {
		if err := output.Encode(load(file)); err != nil {
			os.Exit(1)
		}
	}
}
