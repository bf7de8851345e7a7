// Turns quadlets into units of systemd with the code of Podman's own generator, and prints the units. A warning of the generator
// is an error here.
package main

import (
	"fmt"
	"os"

	"github.com/containers/podman/v5/pkg/systemd/parser"
	"github.com/containers/podman/v5/pkg/systemd/quadlet"
)

func convert(file string) (string, error) {
	unit, err := parser.ParseUnitFile(file)
	if err != nil {
		return "", err
	}
	name, err := quadlet.GetUnitServiceName(unit)
	if err != nil {
		return "", err
	}
	info := &quadlet.UnitInfo{ServiceName: name, ResourceName: quadlet.GetContainerResourceName(unit)}
	service, warning, err := quadlet.ConvertContainer(unit, false, map[string]*quadlet.UnitInfo{unit.Filename: info})
	if err == nil {
		err = warning
	}
	if err != nil {
		return "", err
	}
	return service.ToString()
}

func main() {
	code := 0
	for _, file := range os.Args[1:] {
		text, err := convert(file)
		if err != nil {
			fmt.Fprintf(os.Stderr, "%s: %v\n", file, err)
			code = 1
		}
		fmt.Print(text)
	}
	os.Exit(code)
}
