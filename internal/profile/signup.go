package profile

import (
	"context"

	"paddock/internal/account"
	"paddock/internal/auth"
	"paddock/internal/kit/sqldb"
)

// SignUp makes an account with its first profile, which has the account's name, both or neither. See
// account.Service.SignUp for who may and what it returns.
func (s *Service) SignUp(ctx context.Context, who auth.Caller, in account.CreateInput) (string, error) {
	return s.accounts.SignUp(sqldb.As(ctx, ""), who, in, func(ctx context.Context, a account.Account) error {
		_, err := s.first(ctx, who, a)
		return err
	})
}

// Setup makes the first account of an installation, an operator, with its first profile, against a one-time
// token. It returns what account.Service.UseSetup returns.
func (s *Service) Setup(ctx context.Context, who auth.Caller, token string, in account.CreateInput) (account.Account, Profile, error) {
	if err := s.accounts.CheckSetup(ctx, token); err != nil {
		return account.Account{}, Profile{}, err // before the costly hash
	}
	in, err := s.accounts.Prepare(ctx, who, in)
	if err != nil {
		return account.Account{}, Profile{}, err
	}
	var a account.Account
	var p Profile
	err = s.db.Tx(sqldb.As(ctx, ""), func(ctx context.Context) (err error) {
		if a, err = s.accounts.UseSetup(ctx, who, token, in); err != nil {
			return err
		}
		p, err = s.first(ctx, who, a)
		return err
	})
	return a, p, err
}

// first makes the first profile of a new account, as which whoever signs up acts from here on.
func (s *Service) first(ctx context.Context, who auth.Caller, a account.Account) (Profile, error) {
	who.AccountID, who.OwnerID, who.Role = a.ID, a.ID, auth.Owner
	return s.create(ctx, who, CreateInput{Name: a.Name, Account: a.ID})
}
