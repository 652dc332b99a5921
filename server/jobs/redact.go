package jobs

import (
	"bytes"
	"strings"

	"wavekeeper/server/store"
)

const redacted = "[redacted]"

// secrets are what must never reach the database: the passwords that were in
// use when a host's answer was read.
type secrets []string

// redact replaces every occurrence of a secret, byte by byte.
func (s secrets) redact(text string) string {
	for _, secret := range s {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, redacted)
		}
	}
	return strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", "\uFFFD"), "\uFFFD") // what Postgres keeps
}

func (s secrets) redactFacts(facts []store.Fact) []store.Fact {
	for i := range facts {
		for _, secret := range s {
			if secret != "" {
				facts[i].Value = bytes.ReplaceAll(facts[i].Value, []byte(secret), []byte(redacted))
			}
		}
	}
	return facts
}

func (s secrets) redactSave(k *store.TickSave) {
	k.Message, k.Remedy, k.Phase, k.StepMessage = s.redact(k.Message), s.redact(k.Remedy), s.redact(k.Phase), s.redact(k.StepMessage)
	for i := range k.Log {
		k.Log[i] = s.redact(k.Log[i])
	}
	for i := range k.Findings {
		k.Findings[i].Evidence, k.Findings[i].Remedy = s.redact(k.Findings[i].Evidence), s.redact(k.Findings[i].Remedy)
	}
	s.redactFacts(k.Facts)
	for i := range k.Events {
		k.Events[i].Text = s.redact(k.Events[i].Text)
	}
	for name, value := range k.Memory {
		k.Memory[name] = s.redact(value)
	}
}
