package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/web"
)

// Baseline serves what does nothing until ctx ends. It prints where.
func Baseline(ctx context.Context, listen string, out io.Writer) error {
	var lc net.ListenConfig
	l, err := lc.Listen(ctx, "tcp", listen)
	if err != nil {
		return fault.Invalidf("listen", "cannot listen: %v", err)
	}
	fmt.Fprintln(out, "the baseline answers at http://"+l.Addr().String())
	if err := web.ServeBare(ctx, l); err != nil && !errors.Is(err, net.ErrClosed) && ctx.Err() == nil {
		return fmt.Errorf("cannot serve the baseline: %w", err)
	}
	return nil
}
