"""The status guide's own words in each language: headings, what kinds of change there are, durations."""

from __future__ import annotations

from dataclasses import dataclass

from hubsync.policy.spec import Language
from hubsync.policy.worktime import parse_duration


@dataclass(frozen=True, slots=True)
class GuideWords:
    """One language. `everywhere` and the like are headings; texts with braces are filled in."""

    title: str
    intro: str
    version: str
    contents: str
    value: str
    meaning: str
    use_when: str
    example: str
    data: str
    required: str
    enters: str
    leaves: str
    starts: str
    clocks: str
    person: str
    by_hand: str
    automatic: str
    next_step: str
    red_flag: str
    stages: str
    fits: str
    otherwise: str
    everywhere: str
    set: str
    propose: str
    report: str
    lock: str
    no_stage: str
    like: str
    units: dict[str, tuple[str, str]]
    business: dict[str, tuple[str, str]]

    def duration(self, text: str) -> str:
        """A duration of the rule files, in this language."""
        length = parse_duration(text)
        one, many = (self.business if length.business else self.units)[length.unit]
        return f"{length.amount} {one if length.amount == 1 else many}"


WORDS: dict[Language, GuideWords] = {
    "en": GuideWords(
        title="Lead status guide",
        intro=(
            "What each Lead status means and what hubsync does about it, written from the rules that are in "
            "force. Anybody may change a Lead status at any time: what a person chose after something happened, "
            "hubsync doesn't write over, unless the rule is marked as a lock."
        ),
        version="Version {digest} of the rules, {day}",
        contents="Contents",
        value="In HubSpot",
        meaning="Meaning",
        use_when="When to use it",
        example="Example",
        data="Data required",
        required="Checked by hubsync",
        enters="Set by itself",
        leaves="Changed by itself",
        starts="What happens by itself",
        clocks="Clocks",
        person="Automatic or by hand",
        by_hand="A person sets it; no rule does.",
        automatic="Rules set it (below); a person may as well.",
        next_step="Next step",
        red_flag="Red flag",
        stages="Lifecycle stages",
        fits="Goes with {stages}.",
        otherwise="Corrected, asked about or reported with {stages}.",
        everywhere="With every Lead status",
        set="automatic",
        propose="proposed, a person decides",
        report="reported only",
        lock="automatic lock, also over a later choice, once in 7 days",
        no_stage="(no stage)",
        like="Behaves like {status} in every rule.",
        units={
            "minute": ("minute", "minutes"),
            "hour": ("hour", "hours"),
            "day": ("day", "days"),
            "week": ("week", "weeks"),
            "month": ("month", "months"),
            "year": ("year", "years"),
        },
        business={
            "minute": ("business minute", "business minutes"),
            "hour": ("business hour", "business hours"),
            "day": ("business day", "business days"),
        },
    ),
    "fr": GuideWords(
        title="Guide des statuts du lead",
        intro=(
            "Ce que signifie chaque statut du lead et ce que hubsync en fait, rédigé d'après les règles en "
            "vigueur. Chacun peut changer un statut à tout moment : ce qu'une personne a choisi après un "
            "événement, hubsync ne l'écrase pas, sauf si la règle est indiquée comme verrou."
        ),
        version="Version {digest} des règles, {day}",
        contents="Sommaire",
        value="Dans HubSpot",
        meaning="Signification",
        use_when="Quand l'utiliser",
        example="Exemple",
        data="Données requises",
        required="Vérifié par hubsync",
        enters="Attribué tout seul",
        leaves="Modifié tout seul",
        starts="Ce qui se passe tout seul",
        clocks="Délais",
        person="Automatique ou à la main",
        by_hand="Une personne l'attribue ; aucune règle ne le fait.",
        automatic="Des règles l'attribuent (ci-dessous) ; une personne le peut aussi.",
        next_step="Prochaine étape",
        red_flag="Signal d'alerte",
        stages="Phases du cycle de vie",
        fits="Va avec {stages}.",
        otherwise="Corrigé, demandé ou signalé avec {stages}.",
        everywhere="Quel que soit le statut",
        set="automatique",
        propose="proposé, une personne décide",
        report="seulement signalé",
        lock="verrou automatique, même sur un choix ultérieur, une fois en 7 jours",
        no_stage="(aucune phase)",
        like="Se comporte comme {status} dans toutes les règles.",
        units={
            "minute": ("minute", "minutes"),
            "hour": ("heure", "heures"),
            "day": ("jour", "jours"),
            "week": ("semaine", "semaines"),
            "month": ("mois", "mois"),
            "year": ("an", "ans"),
        },
        business={
            "minute": ("minute ouvrée", "minutes ouvrées"),
            "hour": ("heure ouvrée", "heures ouvrées"),
            "day": ("jour ouvré", "jours ouvrés"),
        },
    ),
    "de": GuideWords(
        title="Leitfaden zum Leadstatus",
        intro=(
            "Was jeder Leadstatus bedeutet und was hubsync damit tut, geschrieben aus den geltenden Regeln. "
            "Jeder darf einen Leadstatus jederzeit ändern: Was ein Mensch nach einem Ereignis gewählt hat, "
            "überschreibt hubsync nicht, außer die Regel ist als Sperre gekennzeichnet."
        ),
        version="Stand {digest} der Regeln, {day}",
        contents="Inhalt",
        value="In HubSpot",
        meaning="Bedeutung",
        use_when="Wann er passt",
        example="Beispiel",
        data="Nötige Angaben",
        required="Von hubsync geprüft",
        enters="Wird von selbst gesetzt",
        leaves="Ändert sich von selbst",
        starts="Was von selbst geschieht",
        clocks="Fristen",
        person="Automatisch oder von Hand",
        by_hand="Ein Mensch setzt ihn; keine Regel tut es.",
        automatic="Regeln setzen ihn (siehe unten); ein Mensch darf es auch.",
        next_step="Nächster Schritt",
        red_flag="Warnzeichen",
        stages="Lifecycle-Phasen",
        fits="Passt zu {stages}.",
        otherwise="Wird berichtigt, nachgefragt oder gemeldet bei {stages}.",
        everywhere="Bei jedem Leadstatus",
        set="automatisch",
        propose="vorgeschlagen, ein Mensch entscheidet",
        report="nur gemeldet",
        lock="automatische Sperre, auch über eine spätere Wahl hinweg, einmal in 7 Tagen",
        no_stage="(keine Phase)",
        like="Verhält sich in jeder Regel wie {status}.",
        units={
            "minute": ("Minute", "Minuten"),
            "hour": ("Stunde", "Stunden"),
            "day": ("Tag", "Tage"),
            "week": ("Woche", "Wochen"),
            "month": ("Monat", "Monate"),
            "year": ("Jahr", "Jahre"),
        },
        business={
            "minute": ("Arbeitsminute", "Arbeitsminuten"),
            "hour": ("Arbeitsstunde", "Arbeitsstunden"),
            "day": ("Arbeitstag", "Arbeitstage"),
        },
    ),
    "id": GuideWords(
        title="Panduan status lead",
        intro=(
            "Arti setiap status lead dan apa yang dilakukan hubsync, ditulis dari aturan yang berlaku. Siapa "
            "pun boleh mengubah status lead kapan saja: pilihan seseorang setelah suatu kejadian tidak ditimpa "
            "oleh hubsync, kecuali aturannya ditandai sebagai kunci."
        ),
        version="Versi {digest} dari aturan, {day}",
        contents="Daftar isi",
        value="Di HubSpot",
        meaning="Arti",
        use_when="Kapan dipakai",
        example="Contoh",
        data="Data yang diperlukan",
        required="Diperiksa oleh hubsync",
        enters="Terisi sendiri",
        leaves="Berubah sendiri",
        starts="Yang terjadi dengan sendirinya",
        clocks="Batas waktu",
        person="Otomatis atau dengan tangan",
        by_hand="Diisi oleh orang; tidak ada aturan yang mengisinya.",
        automatic="Diisi oleh aturan (di bawah); orang juga boleh mengisinya.",
        next_step="Langkah berikut",
        red_flag="Tanda bahaya",
        stages="Tahap siklus hidup",
        fits="Cocok dengan {stages}.",
        otherwise="Dikoreksi, ditanyakan, atau dilaporkan pada {stages}.",
        everywhere="Pada setiap status lead",
        set="otomatis",
        propose="diusulkan, orang yang memutuskan",
        report="hanya dilaporkan",
        lock="kunci otomatis, juga atas pilihan yang lebih baru, sekali dalam 7 hari",
        no_stage="(tanpa tahap)",
        like="Berperilaku seperti {status} dalam setiap aturan.",
        units={
            "minute": ("menit", "menit"),
            "hour": ("jam", "jam"),
            "day": ("hari", "hari"),
            "week": ("minggu", "minggu"),
            "month": ("bulan", "bulan"),
            "year": ("tahun", "tahun"),
        },
        business={
            "minute": ("menit kerja", "menit kerja"),
            "hour": ("jam kerja", "jam kerja"),
            "day": ("hari kerja", "hari kerja"),
        },
    ),
}
