package account

import (
	"regexp"
	"strings"
	"time"
	_ "time/tzdata" // zones must load on machines that have none installed
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"

	"paddock/internal/id"
	"paddock/internal/kit/fault"
	"paddock/internal/kit/mail"
	"paddock/internal/kit/web"
)

// Bounds of an account's parts, in characters.
const (
	MinPassword = 8
	MaxPassword = 256
	MaxName     = 100
	maxCompany  = 100
	maxPhone    = 32
	maxZone     = 64
	maxOption   = 32
)

// Account is a person or a firm that signs in.
type Account struct {
	ID         id.Account
	Name       string
	Email      string // lower case, unique
	Company    *string
	Phone      *string
	Language   string // "en", "pt-br"
	Timezone   string // an IANA zone
	Newsletter bool
	Developer  bool
	Options    Options
	Plan       string // a plan of the catalogue
	Terms      string // what it has beyond the plan, in the words of package plan; "" for nothing
	TermsUntil int64  // UTC milliseconds when Terms change by themselves next; 0 for never
	Anchor     int64  // UTC milliseconds that its cycles are anchored at; 0 for calendar months
	Operator   bool   // runs this installation
	Active     bool   // the e-mail is proven, or need not be
	Blocked    bool   // may not sign in
	Factor     bool   // has a second factor; only as it was read, see Service.EnableFactor
	Picture    string // the name of its file, see PictureURL; "" for none
	LastLogin  *time.Time
	CreatedAt  time.Time
	UpdatedAt  time.Time
}

// Location is the account's time zone.
func (a Account) Location() *time.Location {
	if loc, err := time.LoadLocation(a.Timezone); err == nil {
		return loc
	}
	return time.UTC
}

// Options are how a person likes things shown. The names are TagoIO's.
type Options struct {
	UserViewWelcome   bool    `json:"user_view_welcome"`
	DecimalSeparator  string  `json:"decimal_separator"`
	ThousandSeparator string  `json:"thousand_separator"`
	DateFormat        string  `json:"date_format"`
	TimeFormat        string  `json:"time_format"`
	ShowLastUpdatedAt string  `json:"show_last_updated_at"`
	LastWhatsNew      *string `json:"last_whats_new"`
}

func defaultOptions() Options {
	return Options{UserViewWelcome: true, DecimalSeparator: ".", ThousandSeparator: ",", DateFormat: "YYYY-MM-DD", TimeFormat: "24", ShowLastUpdatedAt: "footer"}
}

// Session is a signed-in browser.
type Session struct {
	ID         id.Session
	Account    id.Account
	Addr       string // where it signed in
	Agent      string // the browser's name for itself
	CreatedAt  time.Time
	LastUsedAt time.Time
	ExpiresAt  time.Time // at the latest; earlier when it is not used
}

// CreateInput is what a new account needs. Name, Email and Password are required.
type CreateInput struct {
	Name       string
	Email      string
	Password   string
	Confirm    string // when not empty, must equal Password
	Company    string
	Phone      string
	Language   string // "en" when empty
	Timezone   string // "UTC" when empty
	Newsletter bool
	Developer  bool
	Plan       string // the default plan when empty; only Paddock itself may choose another

	hash string // set by Prepare
}

// Validate returns an invalid fault that names the first field at fault. It normalises what it accepts.
func (in *CreateInput) Validate() error {
	var err error
	if in.Name, err = checkName(in.Name); err != nil {
		return err
	}
	if in.Email, err = checkEmail("email", in.Email); err != nil {
		return err
	}
	if err := checkPassword("password", in.Password, in.Email); err != nil {
		return err
	}
	if in.Confirm != "" && in.Confirm != in.Password {
		return fault.Field("cpassword", "is not the same as password")
	}
	if in.Company, err = checkLine("company", in.Company, maxCompany); err != nil {
		return err
	}
	if in.Phone, err = checkPhone(in.Phone); err != nil {
		return err
	}
	if in.Language == "" {
		in.Language = "en"
	}
	if in.Language, err = checkLanguage(in.Language); err != nil {
		return err
	}
	if in.Timezone == "" {
		in.Timezone = "UTC"
	}
	return checkZone(in.Timezone)
}

// Update changes an account. What is nil or absent stays; Company, Phone and LastWhatsNew can be cleared with null.
type Update struct {
	Name       *string
	Company    web.Opt[string]
	Phone      web.Opt[string]
	Language   *string
	Timezone   *string
	Newsletter *bool
	Options    OptionsUpdate
}

// OptionsUpdate changes some of the options.
type OptionsUpdate struct {
	UserViewWelcome   *bool           `json:"user_view_welcome"`
	DecimalSeparator  *string         `json:"decimal_separator"`
	ThousandSeparator *string         `json:"thousand_separator"`
	DateFormat        *string         `json:"date_format"`
	TimeFormat        *string         `json:"time_format"`
	ShowLastUpdatedAt *string         `json:"show_last_updated_at"`
	LastWhatsNew      web.Opt[string] `json:"last_whats_new"`
}

// apply puts the update into a, or returns an invalid fault that names the field.
func (u Update) apply(a *Account) error {
	var err error
	if u.Name != nil {
		if a.Name, err = checkName(*u.Name); err != nil {
			return err
		}
	}
	if u.Company.Set {
		if a.Company, err = optional(u.Company, func(s string) (string, error) { return checkLine("company", s, maxCompany) }); err != nil {
			return err
		}
	}
	if u.Phone.Set {
		if a.Phone, err = optional(u.Phone, checkPhone); err != nil {
			return err
		}
	}
	if u.Language != nil {
		if a.Language, err = checkLanguage(*u.Language); err != nil {
			return err
		}
	}
	if u.Timezone != nil {
		if err := checkZone(*u.Timezone); err != nil {
			return err
		}
		a.Timezone = *u.Timezone
	}
	if u.Newsletter != nil {
		a.Newsletter = *u.Newsletter
	}
	return u.Options.apply(&a.Options)
}

func (u OptionsUpdate) apply(o *Options) error {
	if u.UserViewWelcome != nil {
		o.UserViewWelcome = *u.UserViewWelcome
	}
	choice := func(field string, in *string, out *string, allowed ...string) error {
		if in == nil {
			return nil
		}
		for _, a := range allowed {
			if *in == a {
				*out = a
				return nil
			}
		}
		return fault.Field("options."+field, "must be one of %q", allowed)
	}
	if err := choice("decimal_separator", u.DecimalSeparator, &o.DecimalSeparator, ".", ","); err != nil {
		return err
	}
	if err := choice("thousand_separator", u.ThousandSeparator, &o.ThousandSeparator, ",", ".", " ", "'", "_", ""); err != nil {
		return err
	}
	if o.DecimalSeparator == o.ThousandSeparator {
		return fault.Field("options.thousand_separator", "must differ from the decimal separator")
	}
	if err := choice("time_format", u.TimeFormat, &o.TimeFormat, "24", "12"); err != nil {
		return err
	}
	if u.DateFormat != nil {
		if !dateFormat.MatchString(*u.DateFormat) {
			return fault.Field("options.date_format", "must be made of YYYY, YY, MMMM, MMM, MM, M, DD, D and separators, as in YYYY-MM-DD")
		}
		o.DateFormat = *u.DateFormat
	}
	if u.ShowLastUpdatedAt != nil {
		s, err := checkLine("options.show_last_updated_at", *u.ShowLastUpdatedAt, maxOption)
		if err != nil {
			return err
		}
		o.ShowLastUpdatedAt = s
	}
	if u.LastWhatsNew.Set {
		s, err := optional(u.LastWhatsNew, func(s string) (string, error) { return checkLine("options.last_whats_new", s, maxOption) })
		if err != nil {
			return err
		}
		o.LastWhatsNew = s
	}
	return nil
}

var (
	dateFormat = regexp.MustCompile(`^(YYYY|YY|MMMM|MMM|MM|M|DD|D)([-/. ,]{1,2}(YYYY|YY|MMMM|MMM|MM|M|DD|D)){0,2}$`)
	language   = regexp.MustCompile(`^[a-z]{2,3}(-[a-z0-9]{2,8}){0,3}$`)
	phone      = regexp.MustCompile(`^\+?[0-9][0-9 ()./-]*$`)
)

// optional turns null and "" into nil and checks everything else.
func optional(o web.Opt[string], check func(string) (string, error)) (*string, error) {
	v, ok := o.Get()
	if !ok {
		return nil, nil
	}
	s, err := check(v)
	if err != nil || s == "" {
		return nil, err
	}
	return &s, nil
}

// checkLine trims a single line of text. Line breaks and other control characters are refused: names end up
// in the headers of mails and in logs.
func checkLine(field, s string, max int) (string, error) {
	if !utf8.ValidString(s) {
		return "", fault.Field(field, "must be UTF-8 text")
	}
	s = strings.TrimSpace(s)
	if utf8.RuneCountInString(s) > max {
		return "", fault.Field(field, "must have at most %d characters", max)
	}
	for _, r := range s {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return "", fault.Field(field, "must not contain line breaks or control characters")
		}
	}
	return s, nil
}

func checkName(s string) (string, error) {
	s, err := checkLine("name", s, MaxName)
	if err == nil && s == "" {
		err = fault.Field("name", "must not be empty")
	}
	return s, err
}

// checkEmail is the address in lower case: people do not mean two mailboxes by two spellings.
func checkEmail(field, s string) (string, error) {
	s = strings.ToLower(strings.TrimSpace(s))
	return s, mail.CheckAddress(field, s)
}

func checkPassword(field, s, email string) error {
	if !utf8.ValidString(s) || strings.ContainsRune(s, 0) {
		return fault.Field(field, "must be text")
	}
	n := utf8.RuneCountInString(s)
	if n < MinPassword {
		return fault.Field(field, "must have at least %d characters", MinPassword)
	}
	if n > MaxPassword {
		return fault.Field(field, "must have at most %d characters", MaxPassword)
	}
	if strings.EqualFold(s, email) {
		return fault.Field(field, "must not be the e-mail address")
	}
	return nil
}

// normal makes one password of the ways in which keyboards compose the same characters.
func normal(password string) string { return norm.NFKC.String(password) }

func checkPhone(s string) (string, error) {
	s, err := checkLine("phone", s, maxPhone)
	if err == nil && s != "" && !phone.MatchString(s) {
		err = fault.Field("phone", "must be a phone number such as +49 30 1234567")
	}
	return s, err
}

func checkLanguage(s string) (string, error) {
	s = strings.ToLower(strings.ReplaceAll(strings.TrimSpace(s), "_", "-"))
	if !language.MatchString(s) {
		return "", fault.Field("language", "must be a language code such as en or pt-br")
	}
	return s, nil
}

func checkZone(s string) error {
	bad := fault.Field("timezone", "must be a zone of the IANA database such as Europe/Berlin")
	if s == "" || s == "Local" || len(s) > maxZone {
		return bad
	}
	if _, err := time.LoadLocation(s); err != nil {
		return bad
	}
	return nil
}
