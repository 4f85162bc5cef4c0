// What a kiosk shows and says, in every language it has. A state of the wall is a few plain words, to
// be read from two metres and to be understood by ear alone: each says what to do.

export const LANGUAGES = { en: "English", fr: "Français", de: "Deutsch" };

const en = {
  title: "Pick-up wall",
  idle: ["Scan your code", "Hold the code on your phone or on paper under the scanner. Your parcel lights up."],
  van: ["Ready for the next stop", "What belongs to it lights up."],
  reading: ["One moment", "We are looking for your parcel."],
  looks: { take_a: "green ring", take_b: "blue double diamond" },
  lamps: { take_a: "green lamps below", take_b: "blinking blue lamps below" },
  show: (look, left) => left === 1
    ? `Take the parcel with the ${look}`
    : `Take the ${left} parcels with the ${look}`,
  count: (n) => (n === 1 ? "1 parcel" : `${n} parcels`),
  taken: (taken, of) => `${taken} of ${of} taken`,
  next: (look, left) => left === 1
    ? `Now the next one with the ${look}`
    : `Now the ${left} others with the ${look}`,
  wrong: ["Please put it back", "That parcel is not yours."],
  nobody: ["Please put it back", "Scan your code first. Then the wall shows which parcel is yours."],
  right: (look) => `Yours has the ${look}.`,
  done: ["Done, thank you", "You have everything. Have a good day."],
  ended: ["Time is up", "Scan your code again if something is missing."],
  waiting: ["Please wait a moment", "Two people are being served. Scan your code when one of them has gone."],
  waits: ["The light waits for you", "Step up to the wall, and it shines again."],
  out: ["This wall is out of order", "Please ask our staff. They hand your parcel over."],
  away: ["No connection to the store", "Please ask our staff."],
  left: (n) => (n === 1 ? "1 parcel is still here" : `${n} parcels are still here`),
  elsewhere: (n) => (n === 1 ? "1 more waits at another wall." : `${n} more wait at another wall.`),
  unpaid: "Some of it must be paid at the desk first.",
  place: ["Put it in the white dashed frame", "It is done when the parcel stands there."],
  place_lamps: ["Put it above the white lamps", "It is done when the parcel stands there."],
  stow: ["Staff at work", "Scan a parcel's label to see where it goes. Scan your badge when you are done."],
  unsure: ["We cannot show your parcel", "Please ask our staff. They hand it over."],
  refused: ["We cannot hand this over", "Please ask our staff."],
  reasons: {
    unknown: ["We do not know this code", "Open your parcels on your phone and scan the code there."],
    forged: ["We do not know this code", "Open your parcels on your phone and scan the code there."],
    other_store: ["This code is for another store", "Your phone says where your parcel waits."],
    elsewhere: ["Your parcel waits at another wall", "Your phone says where. Or ask our staff."],
    expired: ["This code has run out", "Open your parcels on your phone and scan the new code."],
    used: ["This code was used already", "Open your parcels on your phone and scan the new code."],
    cancelled: ["This order was cancelled", "Please ask our staff if that is wrong."],
    collected: ["This order was picked up already", "Please ask our staff if that was not you."],
    order_expired: ["The time to pick it up is over", "Please ask our staff. It may be on its way back."],
    not_ready: ["Your parcel is not here yet", "Your phone says when it is."],
    unpaid: ["This order is not paid yet", "Pay it on your phone or at the desk, then scan again."],
    blind: ["The wall cannot see your parcel", "Please ask our staff. They hand it over."],
    late: ["That took too long", "Please scan your code again."],
    wait: ["Too many wrong codes", "Please wait a minute, then scan again."],
  },
  camera: "Use the camera",
  camera_off: "Stop the camera",
  camera_no: "The camera does not open. Use the scanner, or type your code.",
  type: "Type the code",
  type_label: "Your code",
  type_send: "Send",
  unsent: "The code did not get through. Please scan again.",
  mute: "Turn sound off",
  unmute: "Turn sound on",
  language: "Language",
};

const fr = {
  title: "Mur de retrait",
  idle: ["Scannez votre code", "Placez le code de votre téléphone ou du papier sous le lecteur. Votre colis s'éclaire."],
  van: ["Prêt pour l'arrêt suivant", "Ce qui est pour lui s'éclaire."],
  reading: ["Un instant", "Nous cherchons votre colis."],
  looks: { take_a: "cercle vert", take_b: "double losange bleu" },
  lamps: { take_a: "trait de lampes vertes", take_b: "trait de lampes bleues qui clignotent" },
  show: (look, left) => left === 1
    ? `Prenez le colis marqué d'un ${look}`
    : `Prenez les ${left} colis marqués d'un ${look}`,
  count: (n) => `${n} colis`,
  taken: (taken, of) => `${taken} sur ${of} pris`,
  next: (look, left) => left === 1
    ? `Maintenant le suivant, marqué d'un ${look}`
    : `Maintenant les ${left} autres, marqués d'un ${look}`,
  wrong: ["Reposez-le, s'il vous plaît", "Ce colis n'est pas le vôtre."],
  nobody: ["Reposez-le, s'il vous plaît", "Scannez d'abord votre code. Le mur montre alors votre colis."],
  right: (look) => `Le vôtre est marqué d'un ${look}.`,
  done: ["C'est fait, merci", "Vous avez tout. Bonne journée."],
  ended: ["Le temps est écoulé", "Scannez encore votre code s'il manque quelque chose."],
  waiting: ["Un instant, s'il vous plaît", "Deux personnes sont servies. Scannez votre code quand l'une d'elles est partie."],
  waits: ["La lumière vous attend", "Approchez-vous du mur et elle revient."],
  out: ["Ce mur est hors service", "Adressez-vous à notre équipe. Elle vous remet votre colis."],
  away: ["Pas de liaison avec le magasin", "Adressez-vous à notre équipe."],
  left: (n) => (n === 1 ? "1 colis est encore là" : `${n} colis sont encore là`),
  elsewhere: (n) => (n === 1 ? "1 autre attend à un autre mur." : `${n} autres attendent à un autre mur.`),
  unpaid: "Une partie doit d'abord être payée au comptoir.",
  place: ["Posez-le dans le cadre blanc en pointillés", "C'est fait quand le colis y est."],
  place_lamps: ["Posez-le au-dessus des lampes blanches", "C'est fait quand le colis y est."],
  stow: ["L'équipe travaille ici", "Scannez l'étiquette d'un colis pour voir sa place. Scannez votre badge à la fin."],
  unsure: ["Nous ne pouvons pas montrer votre colis", "Adressez-vous à notre équipe. Elle vous le remet."],
  refused: ["Nous ne pouvons pas vous le remettre", "Adressez-vous à notre équipe."],
  reasons: {
    unknown: ["Nous ne connaissons pas ce code", "Ouvrez vos colis sur votre téléphone et scannez le code qui s'y trouve."],
    forged: ["Nous ne connaissons pas ce code", "Ouvrez vos colis sur votre téléphone et scannez le code qui s'y trouve."],
    other_store: ["Ce code est pour un autre magasin", "Votre téléphone dit où votre colis attend."],
    elsewhere: ["Votre colis attend à un autre mur", "Votre téléphone dit où. Ou adressez-vous à notre équipe."],
    expired: ["Ce code n'est plus valable", "Ouvrez vos colis sur votre téléphone et scannez le nouveau code."],
    used: ["Ce code a déjà servi", "Ouvrez vos colis sur votre téléphone et scannez le nouveau code."],
    cancelled: ["Cette commande a été annulée", "Si c'est une erreur, adressez-vous à notre équipe."],
    collected: ["Cette commande a déjà été retirée", "Si ce n'était pas vous, adressez-vous à notre équipe."],
    order_expired: ["Le délai de retrait est passé", "Adressez-vous à notre équipe. Le colis repart peut-être déjà."],
    not_ready: ["Votre colis n'est pas encore là", "Votre téléphone dit quand il arrive."],
    unpaid: ["Cette commande n'est pas encore payée", "Payez sur votre téléphone ou au comptoir, puis scannez encore."],
    blind: ["Le mur ne voit pas votre colis", "Adressez-vous à notre équipe. Elle vous le remet."],
    late: ["Cela a pris trop de temps", "Scannez encore votre code, s'il vous plaît."],
    wait: ["Trop de codes faux", "Attendez une minute, puis scannez encore."],
  },
  camera: "Utiliser la caméra",
  camera_off: "Arrêter la caméra",
  camera_no: "La caméra ne s'ouvre pas. Prenez le lecteur ou tapez votre code.",
  type: "Taper le code",
  type_label: "Votre code",
  type_send: "Envoyer",
  unsent: "Le code n'est pas passé. Scannez encore, s'il vous plaît.",
  mute: "Couper le son",
  unmute: "Remettre le son",
  language: "Langue",
};

const de = {
  title: "Abholwand",
  idle: ["Code scannen", "Halten Sie den Code auf dem Telefon oder auf Papier unter den Scanner. Ihr Paket leuchtet auf."],
  van: ["Bereit für den nächsten Halt", "Was dorthin gehört, leuchtet auf."],
  reading: ["Einen Moment", "Wir suchen Ihr Paket."],
  looks: { take_a: "grüner Ring", take_b: "blaue Doppelraute" },
  with: { take_a: "dem grünen Ring", take_b: "der blauen Doppelraute" },
  lamps: { take_a: "grüne Lampen darunter", take_b: "blinkende blaue Lampen darunter" },
  with_lamps: { take_a: "den grünen Lampen darunter", take_b: "den blinkenden blauen Lampen darunter" },
  show: (look, left) => left === 1
    ? `Nehmen Sie das Paket mit ${look}`
    : `Nehmen Sie die ${left} Pakete mit ${look}`,
  count: (n) => (n === 1 ? "1 Paket" : `${n} Pakete`),
  taken: (taken, of) => `${taken} von ${of} genommen`,
  next: (look, left) => left === 1
    ? `Jetzt das nächste mit ${look}`
    : `Jetzt die ${left} anderen mit ${look}`,
  wrong: ["Bitte zurückstellen", "Dieses Paket ist nicht Ihres."],
  nobody: ["Bitte zurückstellen", "Scannen Sie zuerst Ihren Code. Dann zeigt die Wand Ihr Paket."],
  right: (look) => `Ihres ist das mit ${look}.`,
  done: ["Fertig, danke", "Sie haben alles. Einen schönen Tag."],
  ended: ["Die Zeit ist um", "Scannen Sie den Code noch einmal, wenn etwas fehlt."],
  waiting: ["Bitte einen Moment warten", "Zwei Personen sind an der Reihe. Scannen Sie, sobald eine gegangen ist."],
  waits: ["Das Licht wartet auf Sie", "Treten Sie vor die Wand, dann leuchtet es wieder."],
  out: ["Diese Wand ist außer Betrieb", "Bitte wenden Sie sich an unser Personal. Es gibt Ihnen das Paket."],
  away: ["Keine Verbindung zum Laden", "Bitte wenden Sie sich an unser Personal."],
  left: (n) => (n === 1 ? "1 Paket steht noch hier" : `${n} Pakete stehen noch hier`),
  elsewhere: (n) => (n === 1 ? "1 weiteres wartet an einer anderen Wand." : `${n} weitere warten an einer anderen Wand.`),
  unpaid: "Ein Teil muss zuerst an der Kasse bezahlt werden.",
  place: ["Stellen Sie es in den weißen gestrichelten Rahmen", "Es ist fertig, wenn das Paket dort steht."],
  place_lamps: ["Stellen Sie es über die weißen Lampen", "Es ist fertig, wenn das Paket dort steht."],
  stow: ["Hier arbeitet das Personal", "Scannen Sie ein Etikett, um zu sehen, wohin das Paket kommt. Am Ende das Abzeichen."],
  unsure: ["Wir können Ihr Paket nicht zeigen", "Bitte fragen Sie unser Personal. Es gibt Ihnen das Paket."],
  refused: ["Wir können das nicht ausgeben", "Bitte wenden Sie sich an unser Personal."],
  reasons: {
    unknown: ["Wir kennen diesen Code nicht", "Öffnen Sie Ihre Pakete auf dem Telefon und scannen Sie den Code dort."],
    forged: ["Wir kennen diesen Code nicht", "Öffnen Sie Ihre Pakete auf dem Telefon und scannen Sie den Code dort."],
    other_store: ["Dieser Code gilt in einem anderen Laden", "Auf dem Telefon steht, wo Ihr Paket wartet."],
    elsewhere: ["Ihr Paket wartet an einer anderen Wand", "Auf dem Telefon steht, wo. Oder fragen Sie unser Personal."],
    expired: ["Dieser Code ist abgelaufen", "Öffnen Sie Ihre Pakete auf dem Telefon und scannen Sie den neuen Code."],
    used: ["Dieser Code wurde schon benutzt", "Öffnen Sie Ihre Pakete auf dem Telefon und scannen Sie den neuen Code."],
    cancelled: ["Diese Bestellung wurde storniert", "Stimmt das nicht, fragen Sie unser Personal."],
    collected: ["Diese Bestellung wurde schon abgeholt", "Waren Sie das nicht, fragen Sie unser Personal."],
    order_expired: ["Die Abholzeit ist vorbei", "Bitte fragen Sie unser Personal. Das Paket geht vielleicht schon zurück."],
    not_ready: ["Ihr Paket ist noch nicht da", "Auf dem Telefon steht, wann es da ist."],
    unpaid: ["Diese Bestellung ist noch nicht bezahlt", "Zahlen Sie auf dem Telefon oder an der Kasse und scannen Sie dann noch einmal."],
    blind: ["Die Wand sieht Ihr Paket nicht", "Bitte fragen Sie unser Personal. Es gibt Ihnen das Paket."],
    late: ["Das hat zu lange gedauert", "Bitte scannen Sie Ihren Code noch einmal."],
    wait: ["Zu viele falsche Codes", "Bitte warten Sie eine Minute und scannen Sie dann noch einmal."],
  },
  camera: "Kamera benutzen",
  camera_off: "Kamera aus",
  camera_no: "Die Kamera geht nicht auf. Nehmen Sie den Scanner oder tippen Sie den Code.",
  type: "Code eintippen",
  type_label: "Ihr Code",
  type_send: "Senden",
  unsent: "Der Code kam nicht an. Bitte noch einmal scannen.",
  mute: "Ton aus",
  unmute: "Ton an",
  language: "Sprache",
};

const ALL = { en, fr, de };

/** The words of a language; English for one that the kiosk does not have. */
export const wordsOf = (language) => ALL[language] ?? en;

/** The language that an address (`?lang=fr`) or else the browser asks for, among those there are. */
export function ownLanguage(search, browser) {
  const wanted = [new URLSearchParams(search).get("lang") ?? "", ...browser];
  return wanted.map((one) => one.slice(0, 2).toLowerCase()).find((one) => one in ALL) ?? "en";
}

/** How a sentence names a look: in German it bends. */
export const lookIn = (words, look, lamps = false) =>
  (lamps ? words.with_lamps ?? words.lamps : words.with ?? words.looks)[look] ?? "";
