package account_test

import (
	"encoding/base64"

	"golang.org/x/crypto/argon2"
)

// weakHash is a password hashed at the cost m=8, t=1, p=1 with the salt "somesaltsomesalt".
func weakHash(password string) string {
	return base64.RawStdEncoding.EncodeToString(argon2.IDKey([]byte(password), []byte("somesaltsomesalt"), 1, 8, 1, 32))
}
