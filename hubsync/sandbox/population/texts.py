"""What people in the sandbox write: mails, replies, notes and why a deal was lost, in four languages.

Every text is our own. Replies that ask for nothing more, auto-replies and reasons for a loss are what rules must tell
apart, so they are worded the way people word them: not one key word, sometimes none at all. Nothing here is random.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

LANGUAGES: Final = ("en", "de", "fr", "id")

OUTREACH: Final[Mapping[str, tuple[str, ...]]] = {
    "en": ("Your enquiry about lead routing", "A thought on your sales hand-over", "Quick question, {first}"),
    "de": ("Ihre Anfrage zur Lead-Verteilung", "Eine Idee zu Ihrer Vertriebsübergabe", "Kurze Frage, {first}"),
    "fr": ("Votre demande sur la gestion des leads", "Une idée pour vos équipes de vente", "Une question, {first}"),
    "id": ("Permintaan Anda tentang distribusi prospek", "Ide untuk tim penjualan Anda", "Pertanyaan singkat, {first}"),
}

FOLLOW_UP: Final[Mapping[str, tuple[str, ...]]] = {
    "en": ("Following up", "Is this still of interest?", "One more thing"),
    "de": ("Kurz nachgefragt", "Ist das Thema noch aktuell?", "Noch ein Gedanke"),
    "fr": ("Je reviens vers vous", "Le sujet est-il toujours d'actualité ?", "Encore une idée"),
    "id": ("Menindaklanjuti", "Apakah masih berminat?", "Satu hal lagi"),
}

REPLIES: Final[Mapping[str, tuple[str, ...]]] = {
    "en": (
        "Thanks, this looks interesting. Could we talk on Thursday?",
        "We are comparing tools right now. What does it cost for forty users?",
        "Please send me something I can show to my manager.",
    ),
    "de": (
        "Danke, das klingt spannend. Können wir am Donnerstag sprechen?",
        "Wir vergleichen gerade mehrere Lösungen. Was kostet das für vierzig Nutzer?",
        "Bitte schicken Sie mir Unterlagen für meine Chefin.",
    ),
    "fr": (
        "Merci, cela m'intéresse. Pouvons-nous en parler jeudi ?",
        "Nous comparons plusieurs outils. Quel est le prix pour quarante personnes ?",
        "Envoyez-moi une présentation pour ma direction, s'il vous plaît.",
    ),
    "id": (
        "Terima kasih, ini menarik. Bisa kita bicara hari Kamis?",
        "Kami sedang membandingkan beberapa alat. Berapa harganya untuk empat puluh pengguna?",
        "Tolong kirim materi untuk atasan saya.",
    ),
}

OPT_OUTS: Final[Mapping[str, tuple[str, ...]]] = {
    "en": ("Please unsubscribe me.", "Remove me from your list and do not contact me again."),
    "de": ("Bitte melden Sie mich ab.", "Nehmen Sie mich aus dem Verteiler, ich möchte keine E-Mails mehr."),
    "fr": ("Merci de me désinscrire.", "Retirez-moi de votre liste, ne me contactez plus."),
    "id": ("Tolong hentikan langganan saya.", "Hapus saya dari daftar, jangan hubungi saya lagi."),
}

AUTO_REPLIES: Final[Mapping[str, tuple[str, ...]]] = {
    "en": ("I am out of the office until Monday with limited access to e-mail.",),
    "de": ("Ich bin bis Montag nicht im Büro und lese meine E-Mails nicht.",),
    "fr": ("Je suis absent du bureau jusqu'à lundi.",),
    "id": ("Saya sedang cuti sampai hari Senin.",),
}

AUTO_REPLY_SUBJECT: Final[Mapping[str, str]] = {
    "en": "Out of office",
    "de": "Abwesenheitsnotiz",
    "fr": "Réponse automatique : absence",
    "id": "Balasan otomatis: di luar kantor",
}

MEETING_TITLES: Final[Mapping[str, tuple[str, ...]]] = {
    "en": ("Introduction", "Demo", "Requirements workshop"),
    "de": ("Kennenlernen", "Produktvorführung", "Anforderungs-Workshop"),
    "fr": ("Premier échange", "Démonstration", "Atelier besoins"),
    "id": ("Perkenalan", "Demo produk", "Diskusi kebutuhan"),
}

NOTES: Final[Mapping[str, tuple[str, ...]]] = {
    "en": ("Spoke briefly, wants to see the reports.", "Two decision-makers, budget from January."),
    "de": ("Kurz gesprochen, möchte die Berichte sehen.", "Zwei Entscheider, Budget ab Januar."),
    "fr": ("Bref échange, souhaite voir les rapports.", "Deux décideurs, budget à partir de janvier."),
    "id": ("Bicara sebentar, ingin melihat laporan.", "Dua pengambil keputusan, anggaran mulai Januari."),
}

NEXT_STEPS: Final[Mapping[str, tuple[str, ...]]] = {
    "en": ("Call again", "Send the offer"),
    "de": ("Noch einmal anrufen", "Angebot schicken"),
    "fr": ("Rappeler", "Envoyer l'offre"),
    "id": ("Telepon lagi", "Kirim penawaran"),
}

LOSS_REASONS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "budget": {
        "en": ("No budget this year", "Too expensive for them", "Price"),
        "de": ("Kein Budget in diesem Jahr", "Zu teuer", "Budget wurde gestrichen"),
        "fr": ("Pas de budget cette année", "Trop cher", "Budget gelé"),
        "id": ("Tidak ada anggaran tahun ini", "Terlalu mahal"),
    },
    "timing": {
        "en": ("Bad timing, come back next quarter", "Project postponed", "Not now"),
        "de": ("Projekt verschoben", "Falscher Zeitpunkt, im Frühjahr wieder melden"),
        "fr": ("Projet reporté", "Mauvais moment, à rappeler au printemps"),
        "id": ("Proyek ditunda", "Waktu belum tepat, hubungi kuartal depan"),
    },
    "competitor": {
        "en": ("Went with a competitor", "Lost to competitor on features", "Chose another vendor"),
        "de": ("An Wettbewerber verloren", "Hat sich für die Konkurrenz entschieden"),
        "fr": ("Perdu face à un concurrent", "A choisi la concurrence"),
        "id": ("Memilih pesaing", "Kalah dari kompetitor"),
    },
    "wrong_fit": {
        "en": ("Wrong fit, needs an on-premises product", "Not a fit: missing features"),
        "de": ("Passt nicht: braucht eine lokale Installation", "Kein Fit, Funktionen fehlen"),
        "fr": ("Pas adapté à leur besoin", "Ne correspond pas : fonctions manquantes"),
        "id": ("Tidak cocok dengan kebutuhan", "Tidak sesuai, fitur kurang"),
    },
    "no_authority": {
        "en": ("Our contact could not decide",),
        "de": ("Ansprechpartner durfte nicht entscheiden",),
        "fr": ("Notre interlocuteur n'est pas décisionnaire",),
        "id": ("Kontak tidak berwenang memutuskan",),
    },
    "unresponsive": {
        "en": ("Went silent after the offer",),
        "de": ("Meldet sich nach dem Angebot nicht mehr",),
        "fr": ("Plus de réponse après l'offre",),
        "id": ("Tidak ada respons setelah penawaran",),
    },
    "unclear": {
        "en": ("???", "see mail", "Board said no"),
        "de": ("siehe Mail", "Vorstand war dagegen"),
        "fr": ("voir mail", "Refus de la direction"),
        "id": ("lihat email", "Direksi menolak"),
    },
}
"""Free text of `closed_lost_reason` by what it means; "unclear" means that nobody can tell."""

FORMS: Final = ("Contact us", "Request a demo", "White paper: lead hygiene", "Webinar: sales and marketing", "Pricing")
DEAL_NAMES: Final = ("{company} – team licence", "{company} – pilot", "{company} – roll-out")
IMPORT_FILES: Final = ("fair_leads.csv", "old_crm_export.csv", "webinar_attendees.csv")
INTEGRATIONS: Final = ("Event badge scanner", "Data enrichment")
