package prod

import "devstack/stack"

// Notes are what one target says of a model: how it maps keys otherwise than the model's own report, and what it cannot
// express.
type Notes struct {
	Target  string
	Model   Model
	Entries []Entry
	Found   stack.Errors // errors of the files, exit code 3
}

// Say notes what becomes of an app's key.
func (n *Notes) Say(w Workload, verdict Verdict, key, how, fix string) {
	n.Entries = append(n.Entries, Entry{Target: n.Target, Subject: AppSubject(w.App), Key: key, Verdict: verdict, How: how, Fix: fix, Asked: true})
}

// Mapped notes that the target expresses a key.
func (n *Notes) Mapped(w Workload, key, how string) { n.Say(w, IsMapped, key, how, "") }

// Approximated notes that the target nearly expresses a key.
func (n *Notes) Approximated(w Workload, key, how, fix string) {
	n.Say(w, IsApproximated, key, how, fix)
}

// Dropped notes that the target cannot express a key, and need not.
func (n *Notes) Dropped(w Workload, key, why, fix string) { n.Say(w, IsDropped, key, why, fix) }

// Refuse notes that the target cannot express an app. The message names what is wrong with the key's value, the hint what
// to write instead.
func (n *Notes) Refuse(w Workload, key, message, hint string) {
	n.refuse(AppSubject(w.App), key, message, hint)
}

// RefuseService notes that the target cannot express a backing service.
func (n *Notes) RefuseService(b Backing, key, message, hint string) {
	n.refuse(ServiceSubject(b.Name), key, message, hint)
}

func (n *Notes) refuse(subject, key, message, hint string) {
	n.Found = append(n.Found, &stack.Error{File: n.Model.Source, Message: subject + ": " + key + ": " + message, Hint: hint})
}
