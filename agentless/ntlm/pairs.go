package ntlm

// avPair is one attribute of the target (MS-NLMP 2.2.2.1).
type avPair struct {
	id    uint16
	value []byte
}

// parsePairs reads attributes up to their end mark; what follows it is nobody's.
func parsePairs(b []byte) ([]avPair, error) {
	var out []avPair
	for len(b) >= 4 {
		id, n := le.Uint16(b), int(le.Uint16(b[2:]))
		if id == avEOL {
			return out, nil
		}
		if b = b[4:]; n > len(b) || len(out) > 32 {
			return nil, ErrMessage
		}
		out = append(out, avPair{id, b[:n:n]})
		b = b[n:]
	}
	return nil, ErrMessage
}

// appendPairs writes attributes and their end mark.
func appendPairs(b []byte, pairs []avPair) []byte {
	for _, p := range pairs {
		b = le.AppendUint16(b, p.id)
		b = le.AppendUint16(b, uint16(len(p.value)))
		b = append(b, p.value...)
	}
	return append(b, 0, 0, 0, 0)
}

// find gives the first attribute of an id, or nil.
func find(pairs []avPair, id uint16) []byte {
	for _, p := range pairs {
		if p.id == id {
			return p.value
		}
	}
	return nil
}
