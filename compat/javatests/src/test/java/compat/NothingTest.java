package compat;

import org.junit.jupiter.api.Test;

/** Needs no server: `make deps` runs it, so that Maven fetches all it will need offline. */
class NothingTest {
    @Test
    void nothing() {}
}
