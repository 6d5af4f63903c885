package pgkeys

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/daysalt/daysalt/internal/salt"
)

var (
	errDSN = errors.New("the PostgreSQL connection string cannot be read (it is not shown, because it may hold a password); what is allowed looks like " +
		"postgres://user:password@host:port/database?sslmode=verify-full")
	errRights   = errors.New("the PostgreSQL role has no CREATE right")
	errNoSchema = errors.New("no schema of the PostgreSQL connection's search_path exists: create one, or name another in the connection string's search_path")
)

// SQLSTATE codes that a person has to act on.
const (
	noAuthorization   = "28000"
	wrongPassword     = "28P01"
	noDatabase        = "3D000"
	noPrivilege       = "42501"
	noFunction        = "42883"
	tooManyConnection = "53300"
	startingUp        = "57P03"
)

// connectError says why there is no connection, without the names, addresses and passwords that pgx and the server quote: in a connection string
// with a mistake, a piece of the password can be taken for the host's or the user's name.
func connectError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("PostgreSQL does not answer: %w", ctx.Err())
	}
	why := "the connection failed"
	var timeout net.Error
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		why = refusal(refused.Code)
	} else if errno, ok := errors.AsType[syscall.Errno](err); ok {
		why = errno.Error()
	} else if _, ok := errors.AsType[*net.DNSError](err); ok {
		why = "the host's name cannot be resolved"
	} else if errors.As(err, &timeout) && timeout.Timeout() {
		why = "the server does not answer"
	} else if isTLS(err) {
		why = "the server's certificate is not trusted, or TLS could not be agreed on"
	}
	return errors.New("cannot connect to PostgreSQL: " + why)
}

func refusal(code string) string {
	switch code {
	case wrongPassword, noAuthorization:
		return "the server does not accept user and password"
	case noDatabase:
		return "there is no such database"
	case tooManyConnection:
		return "the server has too many connections"
	case startingUp:
		return "the server is starting or stopping"
	default:
		return "the server refuses with SQLSTATE " + code
	}
}

func isTLS(err error) bool {
	_, verification := errors.AsType[*tls.CertificateVerificationError](err)
	_, header := errors.AsType[tls.RecordHeaderError](err)
	_, alert := errors.AsType[tls.AlertError](err)
	_, authority := errors.AsType[x509.UnknownAuthorityError](err)
	_, host := errors.AsType[x509.HostnameError](err)
	return verification || header || alert || authority || host
}

// creating explains why a table or its secret could not be made in a schema.
func creating(err error, schema string) error {
	refused, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return err
	}
	switch refused.Code {
	case noPrivilege:
		return fmt.Errorf("%w in schema %q: GRANT CREATE ON SCHEMA to it, or give it a schema of its own: %w", errRights, schema, err)
	case noFunction:
		return fmt.Errorf("PostgreSQL 13 or later is needed: %w", err)
	default:
		return err
	}
}

// statementError is for what a connection that was there says. Statements hold no part of the connection string.
func statementError(ctx context.Context, err error) error {
	if err == nil || errors.Is(err, salt.ErrOver) {
		return err
	}
	if ctx.Err() != nil {
		return fmt.Errorf("PostgreSQL does not answer: %w", ctx.Err())
	}
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok && refused.Code == noPrivilege && !errors.Is(err, errRights) {
		return fmt.Errorf("the PostgreSQL role may not use a table of daysalt's: all nodes have to use the same role: %w", err)
	}
	return err
}
