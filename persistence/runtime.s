// Empty: lets syncdata_linux.go declare functions of package runtime.
