package account

import "sync/atomic"

// CountHashes counts the passwords that the service hashes from now on, to make and to verify.
func CountHashes(s *Service) *atomic.Int64 {
	var n atomic.Int64
	inner := s.hasher.key
	s.hasher.key = func(password, salt []byte, time, memory uint32, threads uint8, keyLen uint32) []byte {
		n.Add(1)
		return inner(password, salt, time, memory, threads, keyLen)
	}
	return &n
}
