//go:build torture

package journal

import "testing"

func TestTorture_kills(t *testing.T) { killed(t, 220) }
