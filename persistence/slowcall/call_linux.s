//go:build linux && (amd64 || arm64)

// The functions of call_linux.go without a body are the runtime's.
