//go:build !testclock

package app

import (
	"net/http"

	"github.com/daysalt/daysalt/internal/web"
)

// commands are what the admin socket takes.
func (a *App) commands() http.Handler { return a.socket }

// hits is what takes hits.
func (a *App) hits() web.Ingester { return a.ingest }
