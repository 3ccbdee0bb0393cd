package conf

import (
	"errors"
	"io/fs"
	"strings"
	"testing"
)

func TestLoadClient(t *testing.T) {
	files := func(name string) ([]byte, error) {
		if name != "client.cfg" {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return []byte("zookeeper.client.secure = true\nzookeeper.ssl.trustStore.location=/file.pem\nzookeeper.sasl.client=false\n"), nil
	}
	flags := ParseFlags("-Xmx1g -Dzookeeper.client.secure=false -Dzookeeper.ssl.trustStore.location=/flag.jks "+
		"-Dzookeeper.ssl.hostnameVerification=false -Dzookeeper.ssl.quorum.protocol=odd -Dzookeeper.ssl.trustStore.locatoin=/x", "CLIENT_JVMFLAGS")

	c, err := LoadClient("", Options{ReadFile: files, Properties: flags})
	if err != nil || c.Secure || c.TLS.TrustStore.Location != "/flag.jks" || c.TLS.HostnameVerification {
		t.Errorf("flags: %+v, %v", c, err)
	}
	if len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0].Text, "did you mean -Dzookeeper.ssl.trustStore.location?") {
		t.Errorf("a misspelled name: %v", c.Warnings)
	}
	c, err = LoadClient("client.cfg", Options{ReadFile: files, Properties: flags})
	if err != nil || !c.Secure || c.TLS.TrustStore.Location != "/file.pem" || c.TLS.HostnameVerification {
		t.Errorf("a file over flags: %+v, %v", c, err)
	}
	c, err = LoadClient("", Options{ReadFile: files})
	if err != nil || c.Secure || !c.TLS.HostnameVerification {
		t.Errorf("nothing: %+v, %v", c, err)
	}
	if _, err := LoadClient("elsewhere", Options{ReadFile: files}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no file: %v", err)
	}
	_, err = LoadClient("", Options{ReadFile: files, Properties: ParseFlags("-Dzookeeper.ssl.crl=true -Dzookeeper.ssl.keyStore.location=/a.store", "JVMFLAGS")})
	var all Errors
	if !errors.As(err, &all) || len(all) != 2 || !strings.Contains(err.Error(), "JVMFLAGS: -Dzookeeper.ssl.crl=true") {
		t.Errorf("what can't be had: %v", err)
	}
}
