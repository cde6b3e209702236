package evidence

import (
	"os"
	"strings"
)

// Languages of an answer.
const (
	English = "en"
	German  = "de"
)

// Language gives the language that the environment asks for: German where LC_ALL, LC_MESSAGES or LANG begins with de.
func Language() string {
	for _, name := range []string{"LC_ALL", "LC_MESSAGES", "LANG"} {
		if v := os.Getenv(name); v != "" {
			if strings.HasPrefix(strings.ToLower(v), German) {
				return German
			}
			return English
		}
	}
	return English
}

// phrase is what a code says, English first.
type phrase [2]string

// phrases are the words of every code. A name in braces stands for the argument of that name.
var phrases = map[string]phrase{
	// envelope and manifest
	"envelope_ok":             {"the manifest is in the one form that is accepted", "Das Manifest hat die einzige Form, die angenommen wird"},
	"envelope_unreadable":     {"the manifest's file cannot be read", "Die Datei des Manifests ist nicht lesbar"},
	"envelope_not_json":       {"the manifest's file was altered: it is not JSON", "Die Datei des Manifests wurde verändert: Sie ist kein JSON"},
	"envelope_not_canonical":  {"the manifest's file was altered: it is not in canonical form", "Die Datei des Manifests wurde verändert: Sie hat nicht die kanonische Form"},
	"envelope_fields":         {"the manifest's file was altered: its fields are not those of an envelope", "Die Datei des Manifests wurde verändert: Ihre Felder sind nicht die eines Umschlags"},
	"envelope_base64":         {"the manifest's file was altered: it holds base64 that is not spelled strictly", "Die Datei des Manifests wurde verändert: Sie enthält base64 in falscher Schreibweise"},
	"envelope_type":           {"the manifest's file was altered: it announces another type of content", "Die Datei des Manifests wurde verändert: Sie kündigt eine andere Art von Inhalt an"},
	"envelope_signatures":     {"the manifest's file was altered: it carries more than one signature", "Die Datei des Manifests wurde verändert: Sie trägt mehr als eine Signatur"},
	"envelope_signature_form": {"the manifest's file was altered: its signature has the wrong length", "Die Datei des Manifests wurde verändert: Ihre Signatur hat die falsche Länge"},
	"envelope_content":        {"the manifest's file was altered: it names no key", "Die Datei des Manifests wurde verändert: Sie nennt keinen Schlüssel"},
	"manifest_not_json":       {"the manifest was altered: it is not JSON", "Das Manifest wurde verändert: Es ist kein JSON"},
	"manifest_not_canonical":  {"the manifest was altered: it is not in canonical form", "Das Manifest wurde verändert: Es hat nicht die kanonische Form"},
	"manifest_fields":         {"the manifest was altered: its fields are not those of its format", "Das Manifest wurde verändert: Seine Felder sind nicht die seines Formats"},
	"manifest_type":           {"this is another kind of statement, or a later version of the format", "Dies ist eine andere Art von Erklärung oder eine spätere Fassung des Formats"},
	"manifest_content":        {"the manifest was altered: it holds a value that makes no sense", "Das Manifest wurde verändert: Es enthält einen Wert ohne Sinn"},
	"manifest_large":          {"not read: the manifest is very large, and no trusted key vouches for it: name whom to trust", "Nicht gelesen: Das Manifest ist sehr groß, und kein Schlüssel, dem vertraut wird, steht dafür ein: Vertrauensdatei übergeben"},
	"no_manifest":             {"not looked at: the manifest does not say what to look for", "Nicht geprüft: Das Manifest sagt nicht, was zu prüfen ist"},

	// signature and time
	"valid":               {"signed by a trusted key; a time stamp shows that the key was good then", "Signiert mit einem Schlüssel, dem vertraut wird; ein Zeitstempel zeigt, dass er damals galt"},
	"valid_time_unproven": {"signed by a trusted key, by its own word at {claimed}, while the key was good; the time is unproven", "Signiert mit einem Schlüssel, dem vertraut wird, nach eigener Angabe am {claimed}, als der Schlüssel galt; die Zeit ist nicht bewiesen"},
	"signature_bad":       {"the manifest was altered after it was signed: the signature does not fit", "Das Manifest wurde nach dem Signieren verändert: Die Signatur passt nicht"},
	"key_unknown":         {"signed, by its own word, by a key that the trust file does not name: {key}", "Nach eigener Angabe mit einem Schlüssel signiert, den die Vertrauensdatei nicht nennt: {key}"},
	"outside_validity":    {"signed at {claimed} by its own word, when the key was not good ({from} to {until})", "Nach eigener Angabe am {claimed} signiert, als der Schlüssel nicht galt ({from} bis {until})"},
	"stamp_before_key":    {"the time stamp is of {proven}, before the key was good ({from})", "Der Zeitstempel ist vom {proven}, bevor der Schlüssel galt ({from})"},
	"stamp_before_claim":  {"the time stamp is of {proven}, before the time that the manifest claims ({claimed})", "Der Zeitstempel ist vom {proven}, vor der Zeit, die das Manifest angibt ({claimed})"},
	"key_compromised":     {"the key is not trusted since {compromised}, and no time stamp shows that the signature is older", "Dem Schlüssel wird seit {compromised} nicht mehr vertraut, und kein Zeitstempel zeigt, dass die Signatur älter ist"},
	"unsigned":            {"the set is not signed: nobody vouches for it", "Der Satz ist nicht signiert: Niemand steht dafür ein"},
	"no_trust":            {"not checked: no trust file was handed over (the key is said to be {key})", "Nicht geprüft: Es wurde keine Vertrauensdatei übergeben (der Schlüssel soll {key} sein)"},
	"time_proven":         {"a trusted authority shows that the manifest was there at {proven}", "Eine Stelle, der vertraut wird, zeigt, dass das Manifest am {proven} vorlag"},
	"stamp_late":          {"time unproven: the time stamp of {proven} is later than the key was good, {claimed} is a claim", "Zeit nicht bewiesen: Der Zeitstempel vom {proven} ist später, als der Schlüssel galt, {claimed} ist eine Angabe"},
	"time_unproven":       {"time unproven: there is no time stamp, {claimed} is a claim", "Zeit nicht bewiesen: Es gibt keinen Zeitstempel, {claimed} ist eine Angabe"},
	"stamp_no_authority":  {"time unproven: there is a time stamp, but no authority is trusted", "Zeit nicht bewiesen: Es gibt einen Zeitstempel, aber keiner Zeitstempelstelle wird vertraut"},
	"stamp_untrusted":     {"the time stamp is of an authority that is not trusted", "Der Zeitstempel ist von einer Stelle, der nicht vertraut wird"},
	"stamp_other":         {"the time stamp is of something else", "Der Zeitstempel gilt für etwas anderes"},
	"stamp_signature":     {"the time stamp was altered: its signature does not hold", "Der Zeitstempel wurde verändert: Seine Signatur hält nicht"},
	"stamp_unreadable":    {"the time stamp's file is there and cannot be read", "Die Datei des Zeitstempels ist da und nicht lesbar"},
	"stamp_form":          {"the time stamp's file holds no time stamp that was granted", "Die Datei des Zeitstempels enthält keinen gewährten Zeitstempel"},

	// derivative and its pictures
	"derivative_same":            {"byte for byte the file that was signed", "Byte für Byte die Datei, die signiert wurde"},
	"derivative_changed":         {"not the file that was signed; without ffmpeg it cannot be said whether the pictures differ", "Nicht die Datei, die signiert wurde; ohne ffmpeg lässt sich nicht sagen, ob die Bilder andere sind"},
	"derivative_rewrapped":       {"pictures identical, container changed: another file around the same pictures", "Bilder identisch, Container verändert: eine andere Datei um dieselben Bilder"},
	"derivative_rewrapped_times": {"pictures identical, container changed, and shown at other times from frame {frame} on", "Bilder identisch, Container verändert, und ab Bild {frame} zu anderen Zeiten gezeigt"},
	"derivative_altered":         {"altered at frame {frame} of {frames}", "Verändert ab Bild {frame} von {frames}"},
	"derivative_undecodable":     {"not the file that was signed, and its pictures cannot be decoded", "Nicht die Datei, die signiert wurde, und ihre Bilder sind nicht lesbar"},
	"frames_same":                {"all {frames} pictures are those that were signed, at their times", "Alle {frames} Bilder sind die signierten, zu ihren Zeiten"},
	"frames_altered":             {"frame {frame} of {frames} is another picture", "Bild {frame} von {frames} ist ein anderes"},
	"frames_missing":             {"only {there} of {frames} pictures are there", "Nur {there} von {frames} Bildern sind da"},
	"frames_added":               {"{there} pictures are there instead of {frames}", "{there} Bilder sind da statt {frames}"},
	"frames_times":               {"the pictures are the same, shown at other times from frame {frame} on", "Die Bilder sind dieselben, ab Bild {frame} zu anderen Zeiten gezeigt"},
	"frames_undecodable":         {"the pictures cannot be decoded", "Die Bilder sind nicht lesbar"},
	"frames_decoder":             {"the file is right, but this ffmpeg decodes it to other pictures: use another version", "Die Datei stimmt, aber dieses ffmpeg liest andere Bilder daraus: Nehmen Sie eine andere Fassung"},
	"decoder_slow":               {"not done: the pictures were not decoded within the time that was allowed", "Nicht geprüft: Die Bilder waren in der erlaubten Zeit nicht zu lesen"},
	"no_decoder":                 {"not done: no ffmpeg was found that could decode the pictures", "Nicht geprüft: Es wurde kein ffmpeg gefunden, das die Bilder lesen könnte"},

	"container_clean":      {"every byte of the file belongs to pictures, sound or what holds them", "Jedes Byte der Datei gehört zu Bildern, Ton oder dem, was sie fasst"},
	"container_foreign":    {"the file holds something that veil does not write, at byte {offset}: {what}", "Die Datei enthält etwas, das veil nicht schreibt, bei Byte {offset}: {what}"},
	"container_unreadable": {"the file cannot be walked through", "Die Datei lässt sich nicht durchgehen"},

	// other files of the set
	"report_same":               {"the report is the one that was signed", "Der Bericht ist der signierte"},
	"report_missing":            {"not done: the report, which is public, was not handed over", "Nicht geprüft: Der Bericht, der öffentlich ist, wurde nicht übergeben"},
	"report_changed":            {"the report was altered", "Der Bericht wurde verändert"},
	"report_contradicts":        {"the report names another clip, derivative or plan than the manifest", "Der Bericht nennt ein anderes Original, Derivat oder einen anderen Plan als das Manifest"},
	"plan_same":                 {"the plan is the one that was signed", "Der Plan ist der signierte"},
	"plan_withheld":             {"withheld: the plan is restricted", "Zurückgehalten: Der Plan ist nicht öffentlich"},
	"plan_changed":              {"the plan was altered", "Der Plan wurde verändert"},
	"plan_contradicts":          {"the plan was made for another clip than the manifest names", "Der Plan wurde für ein anderes Original gemacht, als das Manifest nennt"},
	"log_same":                  {"the event log is whole: {entries} entries, each follows from the one before", "Das Ereignisprotokoll ist vollständig: {entries} Einträge, jeder folgt aus dem vorigen"},
	"log_withheld":              {"withheld: the event log is restricted", "Zurückgehalten: Das Ereignisprotokoll ist nicht öffentlich"},
	"log_short":                 {"the event log was cut: entry {entry} of {entries} is missing", "Das Ereignisprotokoll wurde gekürzt: Eintrag {entry} von {entries} fehlt"},
	"log_long":                  {"the event log was continued after it was signed: there are more than {entries} entries", "Das Ereignisprotokoll wurde nach dem Signieren fortgesetzt: Es hat mehr als {entries} Einträge"},
	"log_chain":                 {"the event log was altered: entry {entry} does not follow from the one before (an entry was edited, moved, put in or taken out)", "Das Ereignisprotokoll wurde verändert: Eintrag {entry} folgt nicht aus dem vorigen (ein Eintrag wurde geändert, verschoben, eingefügt oder entfernt)"},
	"log_edited":                {"the event log was altered: entry {entry} is not in the form of an entry", "Das Ereignisprotokoll wurde verändert: Eintrag {entry} hat nicht die Form eines Eintrags"},
	"log_other":                 {"the event log was altered: its last entry is not the one that was signed", "Das Ereignisprotokoll wurde verändert: Sein letzter Eintrag ist nicht der signierte"},
	"annex_same":                {"the annex is the one that was signed", "Der Anhang ist der signierte"},
	"annex_withheld":            {"withheld: the annex with persons, case and file name is restricted", "Zurückgehalten: Der Anhang mit Personen, Fall und Dateiname ist nicht öffentlich"},
	"annex_changed":             {"the annex was altered", "Der Anhang wurde verändert"},
	"annex_form":                {"the annex is the one that was signed, but not in the form of an annex", "Der Anhang ist der signierte, hat aber nicht die Form eines Anhangs"},
	"contact_same":              {"the contact sheet is the one that was signed", "Der Kontaktbogen ist der signierte"},
	"contact_withheld":          {"withheld: the contact sheet is restricted", "Zurückgehalten: Der Kontaktbogen ist nicht öffentlich"},
	"contact_changed":           {"the contact sheet was altered", "Der Kontaktbogen wurde verändert"},
	"original_same":             {"the original is byte for byte the one that was redacted", "Das Original ist Byte für Byte das, das geschwärzt wurde"},
	"original_missing":          {"not done: the original was not handed over", "Nicht geprüft: Das Original wurde nicht übergeben"},
	"original_other":            {"this is not the original that was redacted", "Dies ist nicht das Original, das geschwärzt wurde"},
	"pictures_same":             {"{what}: {detail}", "{what}: {detail}"},
	"pictures_differ":           {"against the original, {what}: {detail}", "Gegen das Original, {what}: {detail}"},
	"pictures_no_original":      {"not done: comparing the pictures needs the original", "Nicht geprüft: Der Vergleich der Bilder braucht das Original"},
	"pictures_no_plan":          {"not done: comparing the pictures needs the plan", "Nicht geprüft: Der Vergleich der Bilder braucht den Plan"},
	"pictures_other_derivative": {"not done: this is not the derivative that was signed", "Nicht geprüft: Dies ist nicht das signierte Derivat"},
	"pictures_not_ready":        {"not done: something is missing here: {detail}", "Nicht geprüft: Hier fehlt etwas: {detail}"},
	"pictures_not_here":         {"not done: this program does not compare pictures with an original; `veil verify` does", "Nicht geprüft: Dieses Programm vergleicht keine Bilder mit dem Original; `veil verify` tut es"},
	"pictures_error":            {"the pictures could not be compared", "Die Bilder konnten nicht verglichen werden"},

	// later statements
	"statements_same":     {"{count} later statements, each follows from the one before", "{count} spätere Erklärungen, jede folgt aus der vorigen"},
	"statement_gap":       {"later statement {number} is missing, though later ones are there", "Die spätere Erklärung {number} fehlt, obwohl spätere da sind"},
	"statement_many":      {"there are more later statements than the {number} that are looked at", "Es gibt mehr spätere Erklärungen als die {number}, die geprüft werden"},
	"statement_stamp":     {"the time stamp of later statement {number} does not hold", "Der Zeitstempel der späteren Erklärung {number} hält nicht"},
	"statement_form":      {"later statement {number} was altered: it is not in the form of a statement", "Die spätere Erklärung {number} wurde verändert: Sie hat nicht die Form einer Erklärung"},
	"statement_unsigned":  {"later statement {number} is not signed", "Die spätere Erklärung {number} ist nicht signiert"},
	"statement_signature": {"the signature of later statement {number} does not hold", "Die Signatur der späteren Erklärung {number} hält nicht"},
	"statement_chain":     {"later statement {number} is about something else, or does not follow from the one before", "Die spätere Erklärung {number} betrifft etwas anderes oder folgt nicht aus der vorigen"},
	"statement_annex":     {"the annex of later statement {number} was altered", "Der Anhang der späteren Erklärung {number} wurde verändert"},

	// notes
	"held":                 {"this derivative was held for a person and never released ({findings})", "Dieses Derivat wurde für eine Prüfung zurückgehalten und nie freigegeben ({findings})"},
	"faces_outside":        {"the detectors see a face outside every mask: {detail}", "Die Detektoren sehen ein Gesicht außerhalb aller Masken: {detail}"},
	"supersedes":           {"it takes the place of an earlier derivative, whose manifest is {manifest}", "Es ersetzt ein früheres Derivat mit dem Manifest {manifest}"},
	"no_statements":        {"no later statement was handed over; whether there is one (a withdrawal, say) cannot be seen from the set", "Es wurde keine spätere Erklärung übergeben; ob es eine gibt (etwa einen Widerruf), ist dem Satz nicht anzusehen"},
	"statement_release":    {"statement {number}: released at {time}", "Erklärung {number}: freigegeben am {time}"},
	"statement_disclosure": {"statement {number}: handed over at {time}", "Erklärung {number}: herausgegeben am {time}"},
	"statement_withdrawal": {"statement {number}: WITHDRAWN at {time}", "Erklärung {number}: WIDERRUFEN am {time}"},
	"statement_deletion":   {"statement {number}: derivative and evidence destroyed at {time}", "Erklärung {number}: Derivat und Belege vernichtet am {time}"},
}

// labels are words of the answer around the codes.
var labels = map[string]phrase{
	"outcome_" + Complete: {"everything was checked and is in order", "Alles geprüft und in Ordnung"},
	"outcome_" + Partial:  {"nothing is wrong in what was checked; not everything was", "Was geprüft wurde, ist in Ordnung; nicht alles wurde geprüft"},
	"outcome_" + Broken:   {"NOT in order", "NICHT in Ordnung"},

	Passed:   {"passed", "bestanden"},
	Failed:   {"FAILED", "FEHLER"},
	Withheld: {"withheld", "zurückgehalten"},
	NotDone:  {"not done", "nicht geprüft"},

	CheckEnvelope:   {"manifest", "Manifest"},
	CheckSignature:  {"signature", "Signatur"},
	CheckTime:       {"time", "Zeit"},
	CheckDerivative: {"derivative", "Derivat"},
	CheckContainer:  {"container", "Container"},
	CheckFrames:     {"frames", "Bilder"},
	CheckReport:     {"report", "Bericht"},
	CheckPlan:       {"plan", "Plan"},
	CheckLog:        {"event log", "Protokoll"},
	CheckAnnex:      {"annex", "Anhang"},
	CheckContact:    {"contact sheet", "Kontaktbogen"},
	CheckOriginal:   {"original", "Original"},
	CheckPictures:   {"pictures", "Bildvergleich"},
	CheckStatements: {"later statements", "Spätere Erklärungen"},

	"note":                {"note", "Hinweis"},
	"key":                 {"key", "Schlüssel"},
	"key_claimed":         {"claimed key", "angeblich"},
	"title":               {"Verification of a redacted clip", "Prüfung eines geschwärzten Videos"},
	"file":                {"File", "Datei"},
	"sha256":              {"SHA-256 of the file", "SHA-256 der Datei"},
	"manifest":            {"SHA-256 of the manifest", "SHA-256 des Manifests"},
	"fingerprint":         {"Fingerprint of the key", "Fingerabdruck des Schlüssels"},
	"fingerprint_claimed": {"Key that is said to have signed", "Schlüssel, der signiert haben soll"},
	"claimed":             {"Signed, by its own word", "Signiert, nach eigener Angabe"},
	"proven":              {"Proven to have been there", "Nachgewiesen vorhanden am"},
	"check":               {"Check", "Prüfung"},
	"result":              {"Result", "Ergebnis"},
	"finding":             {"Finding", "Befund"},
	"notes":               {"Notes", "Hinweise"},
	"limits": {"This page says what was checked, no more. Whoever holds the key can sign anything; a later statement that was not handed over cannot be seen; and that no face was overlooked is not proven by a signature.",
		"Diese Seite sagt, was geprüft wurde, und nicht mehr. Wer den Schlüssel hat, kann alles signieren; eine spätere Erklärung, die nicht übergeben wurde, ist nicht zu sehen; und dass kein Gesicht übersehen wurde, beweist keine Signatur."},
}

// words puts a code into words.
func words(language, code string, args map[string]string) string {
	text := pick(phrases[code], language)
	if text == "" {
		return code
	}
	pairs := make([]string, 0, 2*len(args))
	for name, value := range args {
		pairs = append(pairs, "{"+name+"}", value)
	}
	return strings.NewReplacer(pairs...).Replace(text)
}

func pick(p phrase, language string) string {
	if language == German {
		return p[1]
	}
	return p[0]
}

// label is a word of the answer in its language.
func (r *Result) label(name string) string { return pick(labels[name], r.Language) }
