package mail

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	netmail "net/mail"
	"net/url"
	"strconv"
	"strings"
	"time"

	gomail "github.com/wneessen/go-mail"
)

const smtpTimeout = 15 * time.Second

// server speaks to one SMTP server, with a connection for each message.
type server struct {
	host   string
	port   int
	secure bool // TLS from the first byte
	from   netmail.Address
	opts   []gomail.Option
}

// permanentError means that another attempt with this recipient is useless.
type permanentError struct{ error }

func (e *permanentError) Unwrap() error { return e.error }

func newServer(cfg Config) (*server, error) {
	u, err := url.Parse(cfg.SMTPURL)
	if err != nil {
		return nil, errors.New("smtp url: does not parse; write smtp://user:password@host:port and percent-encode special characters") // the cause would show the password
	}
	s := &server{host: u.Hostname()}
	switch u.Scheme {
	case "smtp":
		s.port = 587
	case "smtps":
		s.port, s.secure = 465, true
	default:
		return nil, errors.New("smtp url: must begin with smtp:// or smtps://")
	}
	if s.host == "" {
		return nil, errors.New("smtp url: names no host")
	}
	if u.Path != "" && u.Path != "/" {
		return nil, errors.New("smtp url: has a path; percent-encode a slash in the password as %2F")
	}
	if p := u.Port(); p != "" {
		if s.port, err = strconv.Atoi(p); err != nil || s.port < 1 || s.port > 65535 {
			return nil, errors.New("smtp url: the port must be 1 to 65535")
		}
	}
	user := u.User.Username()
	password, _ := u.User.Password()
	if (user == "") != (password == "") {
		return nil, errors.New("smtp url: needs both a user and a password, or neither")
	}
	policy, err := tlsPolicy(u, user != "")
	if err != nil {
		return nil, err
	}
	if cfg.From == "" {
		return nil, errors.New("mail from: the sender's address is required with an smtp url")
	}
	if err := CheckAddress("mail from", cfg.From); err != nil {
		return nil, err
	}
	name := headerText(cfg.Name, maxSubject)
	if name == "" {
		name = "Paddock"
	}
	s.from = netmail.Address{Name: name, Address: cfg.From}
	s.opts = []gomail.Option{
		gomail.WithPort(s.port),
		gomail.WithTimeout(smtpTimeout),
		gomail.WithTLSConfig(&tls.Config{ServerName: s.host, RootCAs: cfg.RootCAs, MinVersion: tls.VersionTLS12}),
		gomail.WithHELO(cfg.From[strings.LastIndexByte(cfg.From, '@')+1:]),
		gomail.WithoutNoop(),
	}
	if s.secure {
		s.opts = append(s.opts, gomail.WithSSL())
	} else {
		s.opts = append(s.opts, gomail.WithTLSPolicy(policy))
	}
	if user != "" {
		// PLAIN and LOGIN refuse by themselves to send the password unencrypted to another machine.
		s.opts = append(s.opts, gomail.WithUsername(user), gomail.WithPassword(password),
			gomail.WithOpportunisticSMTPAuth(gomail.SMTPAuthSCRAMSHA256, gomail.SMTPAuthSCRAMSHA1, gomail.SMTPAuthPlain, gomail.SMTPAuthLogin, gomail.SMTPAuthCramMD5))
	}
	if _, err := gomail.NewClient(s.host, s.opts...); err != nil {
		return nil, fmt.Errorf("smtp url: %w", err)
	}
	return s, nil
}

func tlsPolicy(u *url.URL, password bool) (gomail.TLSPolicy, error) {
	q, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return 0, errors.New("smtp url: the part after ? does not parse")
	}
	for k := range q {
		if k != "starttls" || u.Scheme == "smtps" {
			return 0, fmt.Errorf("smtp url: unknown option %q; there is starttls=required, opportunistic or off, for smtp://", k)
		}
	}
	switch q.Get("starttls") {
	case "required":
		return gomail.TLSMandatory, nil
	case "opportunistic":
		return gomail.TLSOpportunistic, nil
	case "off":
		return gomail.NoTLS, nil
	case "":
		if password && !loopback(u.Hostname()) {
			return gomail.TLSMandatory, nil
		}
		return gomail.TLSOpportunistic, nil
	}
	return 0, errors.New("smtp url: starttls must be required, opportunistic or off")
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (s *server) describe() string {
	scheme := "smtp"
	if s.secure {
		scheme = "smtps"
	}
	return scheme + "://" + net.JoinHostPort(s.host, strconv.Itoa(s.port))
}

// send delivers one message. The error is a *permanentError when the recipient is refused for good.
func (s *server) send(ctx context.Context, r row, now time.Time) error {
	_, err := s.say(ctx, r, now)
	return err
}

// say is send that returns what the server said when it took the message.
func (s *server) say(ctx context.Context, r row, now time.Time) (string, error) {
	msg := gomail.NewMsg(gomail.WithNoDefaultUserAgent())
	msg.FromMailAddress(&s.from)
	msg.ToMailAddress(&netmail.Address{Address: r.To})
	msg.Subject(headerText(r.Subject, maxSubject))
	msg.SetDateWithValue(now)
	domain := s.from.Address[strings.LastIndexByte(s.from.Address, '@'):]
	msg.SetMessageIDWithValue(cmp.Or(r.thread.ID, r.ID) + domain)
	if n := len(r.thread.Answers); n > 0 {
		before := make([]string, n)
		for i, a := range r.thread.Answers {
			before[i] = "<" + a + domain + ">"
		}
		msg.SetGenHeader(gomail.HeaderInReplyTo, before[n-1])
		msg.SetGenHeader(gomail.HeaderReferences, strings.Join(before, " "))
	}
	msg.SetGenHeader("Auto-Submitted", "auto-generated") // keeps out-of-office answers away
	msg.SetBodyString(gomail.TypeTextPlain, r.Text)
	if r.html != "" {
		msg.AddAlternativeString(gomail.TypeTextHTML, r.html)
	}
	client, err := gomail.NewClient(s.host, s.opts...)
	if err != nil {
		return "", err
	}
	dial, cancel := context.WithTimeout(ctx, smtpTimeout)
	defer cancel()
	conn, err := client.DialToSMTPClientWithContext(dial)
	if err != nil {
		return "", fmt.Errorf("connect to %s: %w", s.describe(), err)
	}
	err = client.SendWithSMTPClient(conn, msg)
	client.CloseWithSMTPClient(conn) // a failed goodbye does not unsend
	var refused *gomail.SendError
	if errors.As(err, &refused) && refused.Reason == gomail.ErrSMTPRcptTo && refused.ErrorCode() >= 500 {
		return "", &permanentError{err}
	}
	return msg.ServerResponse(), err
}
