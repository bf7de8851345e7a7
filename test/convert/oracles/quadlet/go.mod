module svc-super.test/quadlet

go 1.26

require github.com/containers/podman/v5 v5.6.2

require github.com/containers/storage v1.59.1 // indirect
