package bench

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"zk/cmd/internal/client"
	"zk/jute"
)

// setUp makes the znodes that the load needs.
func (r *run) setUp(ctx context.Context, c *client.Client) error {
	for i := 1; i <= len(r.work); i++ {
		if i < len(r.work) && r.work[i] != '/' {
			continue
		}
		_, err := c.Create(ctx, r.work[:i], nil, client.OpenACL(), 0)
		if err != nil && !errors.Is(err, jute.CodeNodeExists) {
			return fmt.Errorf("bench: setting up: %w", err)
		}
	}
	create := func(n int, path func(i int) string, data []byte) error {
		err := each(ctx, n, setupInFlight, func(ctx context.Context, i int) error {
			_, err := c.Create(ctx, path(i), data, client.OpenACL(), 0)
			r.replies.Add(1)
			return err
		})
		if err != nil {
			return fmt.Errorf("bench: setting up: %w", err)
		}
		return nil
	}
	switch r.spec.Load {
	case "create", "ephemeral":
		return create(r.spec.Sessions, r.parent, nil)
	case "set", "get", "mixed":
		return create(r.spec.Keys, func(i int) string { return numbered(r.keys, uint64(i)) }, r.value())
	case "watch":
		return create(1, func(int) string { return r.work + "/watched" }, r.value())
	}
	return nil
}

func (r *run) parent(i int) string { return fmt.Sprintf("%s/c%d", r.work, i) }

func numbered(prefix string, n uint64) string {
	return fmt.Sprintf("%s%0*d", prefix, numberDigits, n)
}

// cleanUp removes what the load and setUp made.
func (r *run) cleanUp(ctx context.Context, c *client.Client, made []uint64) error {
	remove := func(n int, path func(i int) string) error {
		return each(ctx, n, setupInFlight, func(ctx context.Context, i int) error {
			err := c.Delete(ctx, path(i), -1)
			r.replies.Add(1)
			if errors.Is(err, jute.CodeNoNode) {
				return nil // its request failed, or was an ephemeral's
			}
			return err
		})
	}
	var err error
	switch r.spec.Load {
	case "create":
		for i, n := range made {
			prefix := r.parent(i) + "/"
			err = errors.Join(err, remove(int(n), func(k int) string { return numbered(prefix, uint64(k)) }))
		}
		err = errors.Join(err, remove(r.spec.Sessions, r.parent))
	case "ephemeral":
		err = remove(r.spec.Sessions, r.parent)
	case "set", "get", "mixed":
		err = remove(r.spec.Keys, func(i int) string { return numbered(r.keys, uint64(i)) })
	case "watch":
		err = remove(1, func(int) string { return r.work + "/watched" })
	}
	err = errors.Join(err, remove(1, func(int) string { return r.work }))
	if err == nil {
		// Another run may use it, or it may be older than this one.
		if e := c.Delete(ctx, r.spec.Root, -1); e != nil && !errors.Is(e, jute.CodeNotEmpty) && !errors.Is(e, jute.CodeNoNode) {
			err = e
		}
	}
	if err != nil {
		return fmt.Errorf("bench: cleaning up %s: %w", strings.TrimSuffix(r.work, "/"), err)
	}
	return nil
}
