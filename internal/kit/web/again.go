package web

import (
	"paddock/internal/kit/fault"
)

const maxAgain = 255 // bytes of an Idempotency-Key

// ErrOtherBody is the answer to a request whose Idempotency-Key came with another body before.
var ErrOtherBody = fault.New(fault.Conflict, "Idempotency-Key: this key came with another body before")

// CheckIdempotencyKey returns Invalid for what cannot be the value of the header Idempotency-Key; "" stands for none.
func CheckIdempotencyKey(key string) error {
	if len(key) > maxAgain {
		return fault.Field("Idempotency-Key", "has %d characters; at most %d are allowed", len(key), maxAgain)
	}
	for i := 0; i < len(key); i++ {
		if key[i] < ' ' || key[i] > '~' {
			return fault.Field("Idempotency-Key", "must be printable ASCII")
		}
	}
	return nil
}
