package store

import (
	"wavekeeper/server/rollout"
)

// bookOf finds the runbook by which an upgrade goes. What another version of the
// program began, this one may not know.
func bookOf(books rollout.Books, name string) (rollout.Runbook, error) {
	book, ok := books.Book(name)
	if !ok || len(book.Steps) == 0 {
		return rollout.Runbook{}, rollout.Conflict("This program has no runbook %q: the version that began this upgrade has.", name)
	}
	return book, nil
}

// hashed remembers the hashes of runbooks for one transaction.
type hashed struct {
	books rollout.Books
	by    map[string]hashedBook
}

type hashedBook struct {
	book rollout.Runbook
	hash string
}

// of returns the runbook of that name and the hash of its steps. One that the
// program does not have has no hash: no approval fits it.
func (h *hashed) of(name string) (hashedBook, error) {
	if one, ok := h.by[name]; ok {
		return one, nil
	}
	one := hashedBook{book: rollout.Runbook{Name: name}}
	if book, ok := h.books.Book(name); ok {
		hash, err := book.Hash()
		if err != nil {
			return one, err
		}
		one = hashedBook{book, hash}
	}
	if h.by == nil {
		h.by = map[string]hashedBook{}
	}
	h.by[name] = one
	return one, nil
}
