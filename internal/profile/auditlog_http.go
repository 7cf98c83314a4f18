package profile

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"paddock/internal/auth"
	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/web"
)

func (s *Service) logRoutes() []web.Route {
	return []web.Route{
		web.Handle("GET /profile/{id}/auditlog", "Search the audit log: who did what, from where, before and after; oldest first. Owner and admins see everything, other members what they did themselves. "+
			"A search that is not done in a second is Running: ask for its queryId.", OfPath, s.auditLog),
		web.Handle("GET /profile/{id}/auditlog/{query}", "The answer to a search of the last five minutes, for whoever began it.", OfPath, s.auditLogQuery),
		web.Handle("GET /profile/{id}/auditlog/export", "Download all that a search finds, as CSV or JSON.", OfPath, s.exportLog),
		web.Handle("GET /account/auditlog", "Search the events that concern the account outside of its profiles: sign-ins, password, plan.", auth.OfAccount, s.accountLog, web.Tags("account")),
	}
}

type logInput struct {
	ResourceID   string `query:"resourceID"`
	ResourceName string `query:"resourceName" description:"the kind of thing" example:"device"`
	Find         string `query:"find" description:"part of the message, in any case; * stands for any text"`
	StartDate    string `query:"start_date" description:"from this instant on: ISO 8601, unix milliseconds or an age such as '1 day'; seven days before the end when not given"`
	EndDate      string `query:"end_date" description:"up to this instant; now when not given"`
	Limit        int    `query:"limit" description:"events of an answer, at most 10,000; 1,000 when not given. An answer has fewer when they are long: go on with next"`
	Who          string `query:"who" description:"the id of an account, current, system, operator or device"`
	After        string `query:"after" description:"only what is later than this event: next of the answer before"`
}

func (in logInput) filter(now time.Time) (LogFilter, error) {
	f := LogFilter{Resource: in.ResourceName, ResourceID: in.ResourceID, Who: in.Who, Find: in.Find, After: in.After, Limit: in.Limit}
	for _, x := range []struct {
		name, text string
		to         *time.Time
		parse      func(string, time.Time, *time.Location) (time.Time, error)
	}{{"start_date", in.StartDate, &f.From, web.ParseTime}, {"end_date", in.EndDate, &f.To, web.ParseTimeEnd}} {
		if x.text == "" {
			continue
		}
		t, err := x.parse(x.text, now, nil)
		if err != nil {
			return f, fault.Field(x.name, "%v", err)
		}
		if t.UnixMilli() < 1 {
			return f, fault.Field(x.name, "must be after 1970")
		}
		*x.to = t
	}
	return f, nil
}

// logEvent is an event on the wire: the client's members, then ours.
type logEvent struct {
	Date         web.Time        `json:"date"`
	ResourceName string          `json:"resourceName" example:"device"`
	ResourceID   string          `json:"resourceID"`
	Who          string          `json:"who" description:"the id of the account; or, without one, the kind"`
	Message      string          `json:"message"`
	ID           string          `json:"id"`
	Name         string          `json:"name" description:"of who did it; Unknown user for one who has no role in the profile any more"`
	You          bool            `json:"you" description:"the caller did it"`
	Kind         auth.Kind       `json:"kind" enum:"session,profile,device,system,operator,none" description:"what was presented; profile and device are tokens"`
	Token        *string         `json:"token" description:"the name of the token"`
	TokenID      *id.Token       `json:"token_id"`
	Addr         *string         `json:"addr" description:"the address it came from"`
	Before       json.RawMessage `json:"before" description:"the thing before; null when it did not exist or did not change"`
	After        json.RawMessage `json:"after"`
}

func (e LogEvent) wire() logEvent {
	maybe := func(s string) *string {
		if s == "" {
			return nil
		}
		return &s
	}
	w := logEvent{Date: web.Time(e.Time), ResourceName: e.Resource, ResourceID: e.ResourceID, Who: cmp.Or(string(e.Who), string(e.Kind)), Message: e.Message,
		ID: e.ID, Name: e.Name, You: e.You, Kind: e.Kind, Token: maybe(e.TokenName), Addr: maybe(e.Addr), Before: e.Before, After: e.After}
	if e.TokenID != "" {
		w.TokenID = &e.TokenID
	}
	return w
}

type logStatistics struct {
	Matched int64 `json:"recordsMatched" description:"events in this answer"`
	Scanned int64 `json:"recordsScanned" description:"events that were looked at"`
	Bytes   int64 `json:"bytesScanned" description:"of text in these"`
}

type logResult struct {
	QueryID    string        `json:"queryId,omitempty"`
	Status     LogStatus     `json:"status" enum:"Running,Complete,Timeout"`
	Events     []logEvent    `json:"events"`
	Statistics logStatistics `json:"statistics"`
	Next       *string       `json:"next" description:"there may be more: ask again with after"`
}

func (a LogAnswer) wire() logResult {
	r := logResult{QueryID: a.QueryID, Status: a.Status, Events: make([]logEvent, len(a.Events)), Statistics: logStatistics{int64(len(a.Events)), a.Scanned, a.Bytes}}
	for i, e := range a.Events {
		r.Events[i] = e.wire()
	}
	if a.Next != "" {
		r.Next = &a.Next
	}
	return r
}

type auditLogInput struct {
	ID string `path:"id"`
	logInput
}

func (s *Service) auditLog(ctx context.Context, who auth.Caller, in auditLogInput) (logResult, error) {
	f, err := in.filter(s.clock.Now())
	if err != nil {
		return logResult{}, err
	}
	a, err := s.AuditLog(ctx, who, in.ID, f)
	return a.wire(), err
}

type auditLogQueryInput struct {
	ID    string `path:"id"`
	Query string `path:"query"`
}

func (s *Service) auditLogQuery(ctx context.Context, who auth.Caller, in auditLogQueryInput) (logResult, error) {
	a, err := s.AuditLogQuery(ctx, who, in.ID, in.Query)
	return a.wire(), err
}

func (s *Service) accountLog(ctx context.Context, who auth.Caller, in logInput) (logResult, error) {
	f, err := in.filter(s.clock.Now())
	if err != nil {
		return logResult{}, err
	}
	a, err := s.AccountLog(ctx, who, f)
	return a.wire(), err
}

type exportLogInput struct {
	ID     string    `path:"id"`
	Format LogFormat `query:"format" enum:"csv,json" description:"csv when not given"`
	logInput
}

func (s *Service) exportLog(ctx context.Context, who auth.Caller, in exportLogInput) (web.Raw, error) {
	now := s.clock.Now()
	f, err := in.filter(now)
	if err != nil {
		return web.Raw{}, err
	}
	form := cmp.Or(in.Format, LogCSV)
	file, err := s.ExportLog(ctx, who, in.ID, f, form)
	if err != nil {
		return web.Raw{}, err
	}
	kind := "text/csv; charset=utf-8; header=present"
	if form == LogJSON {
		kind = "application/json; charset=utf-8"
	}
	return web.Raw{Type: kind, From: file, Header: http.Header{
		"Content-Disposition": {fmt.Sprintf(`attachment; filename="auditlog-%s.%s"`, now.UTC().Format("2006-01-02-150405"), form)},
		"Cache-Control":       {"no-store"},
	}}, nil
}
