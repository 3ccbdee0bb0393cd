package secure

import (
	"crypto/rand"
	"crypto/tls"
	"sync"
	"time"
)

// ticketKeyLife is how long a key makes tickets; as long again it still opens them.
const ticketKeyLife = 12 * time.Hour

// tickets has the keys of the session tickets of one tls.Config. They are its own, where the ones that package
// tls makes by itself would outlive a change of the trust store.
type tickets struct {
	mu    sync.Mutex
	keys  [][32]byte // guarded by mu; the newest first
	since time.Time  // guarded by mu; of the newest
}

// renew gives the configuration a new key when it is time.
func (k *tickets) renew(c *tls.Config, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	age := now.Sub(k.since)
	if len(k.keys) > 0 && age < ticketKeyLife {
		return
	}
	var key [32]byte
	_, _ = rand.Read(key[:]) // never fails: crypto/rand ends the process itself
	keep := k.keys[:min(len(k.keys), 1)]
	if age > 2*ticketKeyLife {
		keep = nil
	}
	k.keys = append([][32]byte{key}, keep...)
	k.since = now
	c.SetSessionTicketKeys(k.keys)
}
