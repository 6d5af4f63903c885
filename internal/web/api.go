package web

import (
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/gofiber/fiber/v2"

	"github.com/daysalt/daysalt/internal/fault"
	"github.com/daysalt/daysalt/internal/query"
	"github.com/daysalt/daysalt/internal/stats"
)

// query answers POST /api/v2/query: one question, or several at once under "queries".
func (s *Server) query(c *fiber.Ctx) error {
	if kind := c.Get(fiber.HeaderContentType); !strings.HasPrefix(kind, fiber.MIMEApplicationJSON) {
		return fiber.NewError(fiber.StatusUnsupportedMediaType, "Content-Type must be application/json")
	}
	if c.Get(fiber.HeaderContentEncoding) != "" {
		return fiber.NewError(fiber.StatusUnsupportedMediaType, "the body must not be compressed")
	}
	request, err := query.Parse(c.Request().Body())
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	if !request.Batch {
		answer, err := s.answer(s.questions, &request.Questions[0])
		if err != nil {
			return err
		}
		return c.JSON(answer)
	}
	answers := make([]any, len(request.Questions))
	var wg sync.WaitGroup
	for i := range request.Questions {
		wg.Go(func() { answers[i] = s.answerOrError(s.questions, &request.Questions[i]) })
	}
	wg.Wait()
	return c.JSON(fiber.Map{"answers": answers})
}

func (s *Server) answer(ctx context.Context, asked *query.Asked) (*stats.Answer, error) {
	if asked.Err != nil {
		return nil, asked.Err
	}
	one, err := s.siteOf("site_id", asked.Question.Site)
	if err != nil {
		return nil, err
	}
	answer, err := s.stats.Answer(ctx, one, &asked.Question)
	if err != nil && s.questions.Err() != nil {
		return nil, fault.Unavailablef(err, "the server is stopping")
	}
	return answer, err
}

// answerOrError returns what one question of several is answered with. A panic is stopped here: recoverPanic sees its own goroutine only.
func (s *Server) answerOrError(ctx context.Context, asked *query.Asked) (result any) {
	defer func() {
		if r := recover(); r != nil {
			s.log.Error("a question panicked", "place", panicPlace())
			result = fiber.Map{"error": "internal error"}
		}
	}()
	answer, err := s.answer(ctx, asked)
	if err != nil {
		return fiber.Map{"error": s.publicText(err)}
	}
	return answer
}

// publicText is what the asker may know of an error; the rest is logged.
func (s *Server) publicText(err error) string {
	if f, ok := errors.AsType[*fault.Error](err); ok && f.Kind != fault.Internal {
		return messageOf(f)
	}
	s.log.Error("cannot answer a question", "error", err)
	return "internal error"
}

func (s *Server) siteOf(field, domain string) (stats.Site, error) {
	one, ok := s.sites.Lookup(domain)
	if !ok {
		return stats.Site{}, fault.NotFoundf(field, "is not one of the sites")
	}
	return stats.Site{ID: one.ID, Domain: one.Domain, Zone: one.Zone(s.now()), Anonymous: !one.Visitors, MinVisitors: one.MinVisitors}, nil
}

// realtime answers how many visitors there are now: a bare number, as Plausible's API does; null where that is not to be known.
func (s *Server) realtime(c *fiber.Ctx) error {
	one, err := s.siteOf("site_id", c.Query("site_id"))
	if err != nil {
		return err
	}
	n, err := s.stats.Current(s.questions, one)
	if err != nil {
		return err
	}
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(n)
}

// listSites answers all sites on one page.
func (s *Server) listSites(c *fiber.Ctx) error {
	c.Set(fiber.HeaderCacheControl, "no-store")
	return c.JSON(fiber.Map{"sites": s.siteItems(), "meta": fiber.Map{"after": nil, "before": nil, "limit": 100}})
}
