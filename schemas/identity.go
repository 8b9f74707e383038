package schemas

// Class says what an identifier of a namespace may do to the identity graph.
type Class uint8

// The classes of design.md section 3.
const (
	ClassPersonal Class = iota // names one person; stays where it is when a link is refused
	ClassShared                // may change hands; the last login wins from its event time on, history stays
	ClassKiosk                 // used by strangers in turn; never links
	ClassEvidence              // annotates, never links
	classEnd
)

var classNames = [classEnd]string{"personal", "shared", "kiosk", "evidence"}

// String gives the name that stands in rules and in ClickHouse.
func (c Class) String() string {
	if c < classEnd {
		return classNames[c]
	}
	return ""
}

// ParseClass reads a class name.
func ParseClass(name string) (Class, bool) {
	for i, n := range classNames {
		if n == name {
			return Class(i), true
		}
	}
	return 0, false
}

// DecisionKind is what the identity log records.
type DecisionKind uint8

// The kinds of decision of contract.md.
const (
	DecisionLinked DecisionKind = iota
	DecisionMerged
	DecisionRefused
	DecisionDemoted
	DecisionQuarantined
	DecisionRetracted
	DecisionSplit
	decisionEnd
)

var decisionNames = [decisionEnd]string{"linked", "merged", "refused", "demoted", "quarantined", "retracted", "split"}

// String gives the name that stands in ClickHouse.
func (k DecisionKind) String() string {
	if k < decisionEnd {
		return decisionNames[k]
	}
	return ""
}

// DecisionNames lists the names by value.
func DecisionNames() []string { return decisionNames[:] }

// Decision is one row of identity_log: a link made, refused, demoted or taken back, and why.
type Decision struct {
	Position     uint64 // dense, from 1
	Time         Time   // event time of the evidence
	Kind         DecisionKind
	A, B         uint64 // identifier ids; B is 0 where only one identifier is concerned
	ANamespace   string
	BNamespace   string
	ProfileID    ProfileID // the profile that results, or that the event belongs to
	OtherProfile ProfileID // the profile merged away or kept apart; zero where there is none
	Rule         string    // the rule that decided, such as "limit user_id 1"
	EventID      string
}

// IdentifierRow is one row of identifiers as it is now.
type IdentifierRow struct {
	ID          uint64
	Namespace   string
	ValueHash   [16]byte // first bytes of HMAC-SHA-256 of the normalised value under the installation's key
	Display     string   // clear for device-like namespaces, masked for personal ones
	ProfileID   ProfileID
	Class       Class
	FirstSeen   Time
	LastSeen    Time
	Quarantined bool
}

// Alias is one row of profile_aliases: an id that was merged away, and where it resolves now.
type Alias struct {
	AliasID   ProfileID
	ProfileID ProfileID
	Since     Time
}

// Attribution is one row of leaf_profiles: the person that a piece of history belongs to, where that is no longer what its events say.
// Unmerges and quarantines make such rows; merges need only an Alias.
type Attribution struct {
	Leaf      uint32 // as in Event.Leaf
	ProfileID ProfileID
	Since     Time // event time of what changed it
}

// CommandKind is what an operator can ask of the identity graph.
type CommandKind uint8

// The commands of docs/identity.md.
const (
	CommandNone       CommandKind = iota
	CommandRetract                // of a link, or of all links that an identifier has
	CommandQuarantine             // the identifier's links carry no longer
	CommandRelease                // ends a quarantine, and the learning about the identifier
	CommandErase                  // the value becomes unknown
	commandEnd
)

var commandNames = [commandEnd]string{"", "retract", "quarantine", "release", "erase"}

// String gives the name that stands in records of the topic seamline.identity.
func (k CommandKind) String() string {
	if k < commandEnd {
		return commandNames[k]
	}
	return ""
}

// ParseCommand reads the name of a command.
func ParseCommand(name string) (CommandKind, bool) {
	for i, n := range commandNames {
		if n == name && i > 0 {
			return CommandKind(i), true
		}
	}
	return CommandNone, false
}

// Command is one order of an operator, which stands in the log between the events: an Event that has one is nothing else. Its first
// identifier is the one that the command is about, or one end of the link whose other end is the second.
type Command struct {
	Kind   CommandKind `json:"kind"`
	Forbid bool        `json:"forbid,omitempty"` // of retract of a link: it never comes back
	Reason string      `json:"reason,omitempty"` // for the identity log, at most CommandReasonMax bytes
}

// CommandReasonMax bounds the reason of a command, in bytes.
const CommandReasonMax = 200
