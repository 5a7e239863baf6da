"""The grammar of the message generator: pure data, in words written for it.

One table maps a slot to its alternatives, which are separated by `|` or a line break. Inside an
alternative `{slot}` is replaced by that slot, `{slot?}` half of the time by it and half of the time
by nothing, `{3-40}` by a whole number of that range, and `#` by a digit.

Addresses use the reserved names of RFC 2606 (.example, .test), phone numbers the ranges that Ofcom
and NANPA keep for fiction, and short codes begin with 1, which no operator hands out.
"""

HAM_WEIGHTS = {
    "chat": 17,
    "plans": 15,
    "reply": 9,
    "family": 9,
    "work": 8,
    "study": 5,
    "meals": 5,
    "directions": 5,
    "thanks": 5,
    "feelings": 5,
    "money": 4,
    "jokes": 3,
    "news": 5,
    "parcels": 2,
    "secrets": 2,
    "one_time_code": 3,
    "reminder": 3,
}
"""How often each kind of ham is drawn, relative to the others."""

ABBREVIATIONS = {
    "you": "u",
    "your": "ur",
    "are": "r",
    "see": "c",
    "to": "2",
    "for": "4",
    "tomorrow": "2moro",
    "tonight": "2nite",
    "please": "pls",
    "thanks": "thx",
    "people": "ppl",
    "because": "cos",
    "about": "abt",
    "going": "goin",
    "and": "n",
    "okay": "k",
    "message": "msg",
    "text": "txt",
    "with": "wiv",
    "later": "l8r",
    "great": "gr8",
    "before": "b4",
    "what": "wot",
    "the": "da",
    "that": "dat",
    "have": "hav",
    "be": "b",
    "love": "luv",
    "night": "nite",
    "just": "jus",
    "back": "bk",
    "week": "wk",
    "weekend": "wkend",
    "good": "gd",
    "morning": "mornin",
    "from": "frm",
    "number": "numba",
}
"""What somebody in a hurry types instead."""

SHARED = {
    "name": """Amara|Ben|Carla|Dev|Elif|Femi|Greta|Hugo|Ines|Jonas|Kavya|Leo|Mina|Nuno|Olga|Pete
        Rosa
        Sam|Tariq|Uma|Viktor|Wen|Yusuf|Zoe|Callum|Ingrid|Mateo|Nadia|Priya|Silke|Tomasz|Bea|Kofi""",
    "kin": """mum|dad|gran|my sister|my brother|auntie|uncle {name}|grandad|my cousin
        {name}""",
    "day": """today|tonight|tomorrow|monday|tuesday|wednesday|thursday|friday|saturday|sunday
        next week|this weekend|tomorrow night|the {4-20}th|friday evening|sunday morning""",
    "past": """yesterday|last night|last week|on {weekday}|this morning|the other day
        over the weekend""",
    "weekday": "monday|tuesday|wednesday|thursday|friday|saturday|sunday",
    "time": """{1-12}|{1-12}pm|{7-11}am|half {1-12}|{1-12}.{clockmin}|{10-22}:{clockmin}|noon
        about {1-12}""",
    "clockmin": "05|10|15|20|30|40|45|50",
    "minutes": "{2-9} mins|{10-50} minutes|half an hour|an hour|a couple of minutes|{5-25} min",
    "place": """the station|the gym|the library|the pub|town|the park|your place|my place|the cafe
        the {shop}|the office|the pool|the cinema|the airport|campus|the market|the bus stop
        the beach
        {name}'s flat|{name}'s house|the corner of {street}|the {animal} and {fruit}
        the hospital""",
    "shop": """bakery|bike shop|supermarket|chemist|bookshop|garden centre|butcher|chip shop
        hardware shop""",
    "street": """{fruit} street|{animal} lane|mill road|station road|hill street|{fruit} avenue
        north road""",
    "animal": "fox|heron|badger|otter|lion|swan|hare|raven|stag|owl|mole|beaver",
    "fruit": "apple|cherry|plum|lemon|pear|walnut|hazel|quince|maple|damson",
    "food": """pasta|curry|pizza|soup|sunday roast|noodles|dumplings|tacos|fish and chips|salad
        pancakes
        lasagne|leftovers|stew|sushi|burgers|that lentil thing|jollof|biryani|toast and beans""",
    "item": """milk|bread|eggs|batteries|onions|cat food|nappies|coffee|bin bags|rice|butter|bananas
        washing powder|light bulbs|cheese|tomatoes|loo roll|stamps|a birthday card|painkillers""",
    "object": """door key|charger|jacket|brolly|laptop|watch|scarf|guitar|tent|drill|lunchbox
        passport
        speaker|notebook|bike lock|ladder|camera|suitcase|hat|spare key""",
    "show": "film|match|gig|game|quiz|play|documentary|concert|race|exhibition|new series|final",
    "subject": """maths|biology|chemistry|history|stats|law|german|physics|economics|accounting
        music""",
    "mood": """tired|happy|knackered|bored|starving|nervous|fine|exhausted|excited|a bit low|ill
        full""",
    "adjective": """lovely|awful|weird|brilliant|boring|hilarious|amazing|strange|not bad|ok
        pretty good|mad""",
    "greet": """hi|hey|hello|hiya|hey {name}|hi {name}|{name}|yo|oi|morning|evening|{pet}|alright
        hi {pet}""",
    "pet": "love|mate|babe|darling|dude|sweetie|hun|sis|bro|dear|pal",
    "bye": """x|xx|xxx|see you|bye|take care|love {name}|{name} x|speak soon|night|later|ta|cheers
        hugs""",
    "laugh": "lol|haha|hehe|ha|hahaha|lmao|:)|:-)|;)|:P|:(|hmm|oh well|ugh|omg|wow|phew",
    "emoji": "😀|😂|😅|🙈|❤️|👍|🎉|😭|🙏|😴|🍕|☔|🥳|🤔|😘|🔥|👀|☀️|🐶",
    "pounds": """£{5-60}|{5-90} quid|{2-40} pounds|£{3-30}.50|a tenner|twenty quid|{10-90} euros
        ${5-80}""",
    "mobile": "07700 900###|07700900###|+447700900###|555-01##|(212) 555-01##",
    "landline": "020 7946 0###|01632 960###|0117 496 0###|0131 496 0###|01632960###",
    "why": """the train was cancelled|i overslept|the car wouldn't start|{name} was late|it rained
        i had to work late|the bus never came|i lost my {object}|the boiler broke
        traffic is {adjective}
        i fell asleep on the sofa|my phone died|we ran out of {item}|{kin} called
        i left my {object} at home""",
    "did": """went to {place}|saw {name} at {place}|watched the {show}|made {food}
        had {food} with {name}
        tried that place on {street}|finished my {subject} homework|cleaned the whole flat
        slept till {time}|ran {3-21}k|got a new {object}|painted the kitchen|burnt the {item}
        took the dog to {place}|played cards with {kin}|met {name}'s parents
        lost my {object} again""",
    "doing": """going to {place}|having {food}|watching the {show}|meeting {name}|staying in
        cooking {food}|seeing {kin}|studying {subject}|working late|taking {kin} to {place}
        fixing the {object}|helping {name} move|walking the dog|packing|driving to {place}""",
}

HAM = {
    "chat": """{greet} {laugh?} how was {place} {past}? we {did}
        {greet?} what are you up to? i'm {doing} {laugh?}
        {laugh} {name} {did} {past} and now {name} wants to know why
        so i {did} {past} and it was {adjective}. how about you?
        did you hear {name} {did}? {laugh}
        i'm {mood}. {doing} {day} so no rest for me {bye?}
        {greet?} you there? call me when you're free, {time} is good
        guess who i met at {place}... {name}! still {mood} and still talking about {subject}
        not much here, just {doing}. {kin} says hi {bye?}
        {greet?} can't talk, {doing}. text me? {bye?}
        have you seen my {object}? i think i left it at {place}
        the weather is {adjective} here. {doing} anyway {laugh?}
        that {show} was {adjective}! {name} hated it {laugh?}
        {greet?} is {name} still at {place}? nobody picks up the phone
        i missed your call, was {doing}. try me again at {time}?
        {greet?} new number, it's {name}. my old phone fell in the bath {laugh?} save this one
        {greet}, {stranger}""",
    "stranger": """it's {name}, we met at {place} {past}. my number is {mobile}, text me {bye?}
        {name} here from {place}! fancy {doing} {day}? this is my new number {bye?}
        are you {name}'s friend? we talked at {place} {past}. it was {adjective}, call me {bye?}
        i'm {name}, {kin} gave me your number. are you free {day}? {bye?}""",
    "plans": """{greet?} are you free {day}? thinking of {doing}
        {doing} {day}, want to come? {name} is bringing {item}
        shall we meet at {place} at {time}? {bye?}
        can't make it {day}, {why}. {weekday} instead?
        {greet?} still on for {day}? i can be at {place} by {time}
        i'll be {minutes} late, {why}. sorry {bye?}
        running late, {why}. order without me. {minutes}
        {name} and me are {doing} at {time}. come along if you like
        ok so {day} {time} at {place}, bring your {object}
        what time does the {show} start? i finish at {time}
        {greet?} party at {place} {day}, bring {item} and {name}. starts {time}
        on my way, {minutes}. save me a seat {bye?}
        we said {time} at {place}, where are you?? {laugh?}
        let's do {food} {day}. i'll call {name} and you get the {item}
        tickets for the {show} are {pounds} each, do you want one? need to know by {day}""",
    "reply": """{yes}, {tail}
        {yes} {laugh} {tail}
        {no}, {tail} {bye?}
        {yes}. {time} then {bye?}
        {no}. {why} {laugh?}
        {laugh} {tail} {bye?}
        {yes} {pet}, {time} at {place}
        {yes} {name}, {tail} {emoji?}
        {yes} {bye} {emoji?}
        {what}? i thought you were {doing}""",
    "yes": """ok|okay|yes|yeah|yep|sure|sounds good|fine by me|cool|k|of course|alright|will do
        perfect|deal""",
    "no": "no|nope|nah|sorry no|not yet|don't think so|can't|not really|maybe|no idea|not {day}",
    "what": """what|really|huh|seriously|are you sure|pardon|wait what|no way|since when
        who said that""",
    "tail": """see you at {time}|i'll text you {day}|ask {name}|whatever you like|i'm {doing}
        tell {kin}|i'm already at {place}|give me {minutes}|let me check with {name}|same here
        i {did} {past}|just got home|leaving {place} now|bring the {object}|you choose|i'm {mood}
        call me {day}|{name} knows|{day} is better|no rush|don't wait for me""",
    "family": """{kin} wants to know if you are coming {day}. there will be {food}
        {greet?} can you pick up {kin} from {place} at {time}? {why}
        it's {kin}'s birthday {day}, don't forget! shall we get a {object}?
        dinner is {food}, home by {time} please {bye?}
        {kin} is {mood} today, give them a call when you can {bye?}
        the kids {did} {past}, very proud {emoji?} {bye?}
        did you feed the dog? i'm at {place} till {time}
        please get {item} and {item} on your way home {bye?}
        {kin} is at the hospital for a check, nothing urgent. i'll call at {time}
        landed safely. {place} is {adjective}. tell {kin} {bye?}
        found your {object}! {kin} will bring it {day}
        {kin} rang, the tv is broken again {laugh?} can you call back
        school says {name} needs a {object} by {day}. can you go to the {shop}?""",
    "work": """{greet?} meeting moved to {time}, room {1-40}. can you tell {name}?
        i'm off sick {day}, {name} has the {object} and the notes
        can you send me the {subject} file before {time}? client is waiting
        {greet?} can you swap shifts {day}? i'll take your {weekday}
        in a meeting, will call you back at {time}
        boss is {mood}, stay out of the way till {time} {laugh?}
        please call {name} on {landline} about the invoice, they need an answer {day}
        interview went {adjective}! they will call {day} {emoji?}
        the printer on floor {1-9} is dead again. using the one by {name}'s desk
        stuck at work, {why}. don't wait for me with {food}
        did the delivery for {place} arrive? {name} asks, order {1000-9999}
        we won the contract!!! drinks {day} at {place}, the boss pays
        {callback}
        urgent, server {2-60} is down, call me or {name} please""",
    "callback": """tried to call you {past} about your application, please ring {name} on {landline}
        {greet} it's {name} from {service}, please call me back on {landline} about your account
        we have an answer on your request, call {name} on {landline} before {time}, {ref}
        you asked for a call back {day}. ring {landline} and give {ref}""",
    "study": """did you do the {subject} sheet? i'm stuck at question {2-15}
        exam is in room {1-90} at {time}, bring your {object}
        {greet?} can i copy your {subject} notes? {why}
        lecture cancelled {day}, {subject} tutor is ill {laugh?}
        got {45-98}% in {subject}!! {emoji?} {name} got {40-97}
        library closes at {time}, i'm on floor {1-6} with {name}
        {subject} essay due {day} and i have {20-900} words {laugh}
        how do you even start with {subject}? {name} says chapter {2-19}
        the university sent the form for the free {subject} course, apply by {day}
        slides are at notes.example/{subject}{1-60} if you need them""",
    "meals": """what do you want for dinner, {food} or {food}?
        i made {food}, there is plenty left, come over {bye?}
        we are out of {item}. and {item}. anything else from the {shop}?
        table for {2-9} booked at {place} {day} {time}, name {name}
        that {food} was {adjective}, can i have the recipe?
        bring {item} please, {name} ate everything {laugh?}
        the {shop} has two for one on {item}, shall i get some?
        oven is broken so it's {food} or nothing {laugh?}
        recipe for {food} is here recipes.example/{2-999} looks easy
        {greet?} coffee at {place}? i'm {mood} and need {food}""",
    "directions": """go past {place}, left at {street}, it's number {2-190} {bye?}
        take the {2-99} bus from {place} and get off at {street}
        i'm at {place}, by the {shop}. blue coat. call when you're here
        it's the house with the red door, number {2-200}, {street}
        park behind {place}, it's free after {time}
        wrong way! turn round at {street} and go back to {place} {laugh?}
        platform {1-14}, the {time} train. change at {place}
        ring the bell twice, flat {1-60}, {street}. dog is friendly
        from the motorway take exit {2-40}, then {minutes} to {place}""",
    "thanks": """thank you so much for the {object}! {kin} loves it {bye?}
        thanks for coming {past}, your {food} was {adjective} {emoji?}
        {greet?} thanks for helping with the {object}, i owe you {food}
        you're a star {name}, thanks for driving me to {place} {bye?}
        got your card, thank you!! {kin} too. see you {day} {bye?}
        cheers for the lift {past} {pet}
        happy birthday {name}! hope you get {food} and a {object} {emoji?} {bye?}
        congratulations on the new job! {food} {day}? {emoji?}
        thanks, you saved me {pounds} and a walk to {place} {laugh?}""",
    "feelings": """missing you, {place} isn't the same {bye?}
        sorry about {past}, i was {mood} and {why}. friends?
        can't sleep, keep thinking about {day}. {mood} {laugh?}
        i'm so {mood} today. {why} and then i {did} {laugh?}
        love you {pet}, good luck {day}! you'll win {bye?}
        sweet dreams {pet}, see you {day} at {place} {bye?}
        are you angry with me? {name} says you were {mood} {past}
        good morning {pet}! dreamt we were {doing} {emoji?}
        feeling better, the doctor says {2-10} days of rest and {food} {bye?}
        wish you were here, {doing} alone is {adjective} {bye?}""",
    "money": """i owe you {pounds} for {food}, will pay {day}
        can you lend me {pounds} till {weekday}? {why}
        rent is due {day}, your part is £{200-700}. send it to {name}
        did you get the cash i left at {place}? {pounds} for {name}
        split for the {show} is {pounds} each, pay {name} {bye?}
        sent you {pounds}, check your account {bye?}
        the {shop} wants {pounds} for the {object}! no way {laugh?}
        someone offers {pounds} for the old {object}, shall i take it?
        bank says the loan is ok!! we can get the house {pet} {emoji?}""",
    "jokes": """why did the {animal} cross {street}? to get to the {shop} {laugh}
        {name} walks into {place} with a {animal}. that's it, that's the joke {laugh}
        a {animal} and a {animal} share a flat. who buys the {item}? {laugh}
        knock knock. who's there? {fruit}. {fruit} who? {fruit} you glad it's {weekday} {laugh}
        my {object} and i are on a break. it needed space {laugh}
        congratulations, you have won a free wash of MY dishes. call your {pet} to claim {laugh}
        urgent!!! the {animal} ate the {food}. reply with {item} {laugh}
        what do you call a {mood} {animal}? {name} on a {weekday} {laugh}""",
    "news": """i won {pounds} in the office draw!! {food} is on me {day} {emoji?}
        free entry at {place} {day} before {time}, {name} told me. shall we?
        {name} won the {show}! call and say well done {bye?}
        they are giving away free {item} at the {shop}, run
        my phone contract ends {day}, they offer {100-900} free texts. good deal or not?
        got a call from some prize draw again, blocked them {laugh?}
        new ringtone is driving me mad, how do i change it?
        you have to see this, pics.example/{100-9999} that's {name} and the {animal} {laugh?}
        guess what, {name} got tickets to the {show}, free! {pounds} normally
        {team} won {0-5}-{0-4}! best {show} in years {emoji?}
        the {shop} is closing, everything half price till {day}
        {name} is on a dating site now, says the {show} guy is {mood} {laugh?}
        saw flats from £{400-950} on homes.example/{street2}, look at number {2-30}""",
    "team": "we|our lot|the reds|{name}'s team|the school|the under {9-17}s",
    "street2": "mill-road|hill-street|north-road|station-road|{fruit}-lane|{animal}-close",
    "parcels": """your parcel came to us, it's behind our {place2}. number {2-90} {bye?}
        postman left your parcel with me, come round after {time}. {name} next door
        i posted the {object} {past}, should be with you {day}. tracking {animal}#####
        did the package with the {object} arrive? i sent it {past} {bye?}
        your parcel is at the {shop} on {street}, they close at {time}. take your passport
        driver couldn't find {street}, he tries again {day} at {time}. {name}""",
    "place2": "shed|bin|back door|garage|front gate|hedge|bench|bike",
    "secrets": """door code is #### then push hard. {name} has the spare key
        wifi is {animal}-{fruit}, password {fruit}{10-99}{animal} {bye?}
        code word for the surprise is {fruit}. if {name} asks, say {animal} {laugh?}
        if anyone picks up {kin} the code word is {animal} {fruit}, ok?
        locker {1-300}, code ####. {object} is inside
        team {animal}, signal is {fruit}, go at {time}. don't tell {name} {laugh?}
        alarm code is {1000-9999}, you have {20-60} seconds {laugh?}""",
    "one_time_code": """{code6} is your {service} code. It expires in {2-15} minutes. Do not \
            share it.
        Your {service} verification code is {code6}.
        {service}: use {code6} to sign in. If this was not you, ignore this text.
        Use code {code6} to confirm your payment of £{2-180}.## to {shopname}. Never tell anyone \
            this code.
        {service} security code: {code6}. We will never call you to ask for it.""",
    "code6": "######|###-###|####|### ###",
    "service": """Harbour Bank|Parcelway|Quillmail|Northgrid Energy|Pedalhop|Tutorbox|Kitepay
        Linnet Mobile|Cloudshelf|Ferrypass|Fern Clinic|Ticketbarn""",
    "shopname": "Larch Books|Tin Kettle|Oak & Wire|Blue Door Foods|Pedal House|Fern Pharmacy",
    "reminder": """Reminder: your appointment with {doctor} is on {2-28} {month} at \
            {9-17}:{clockmin}. To cancel call {landline}.
        {shopname}: your order {10000-99999} is ready to collect until {time}. Bring this text.
        Your {object} is due back at the library by {2-28} {month}. Renew at library.example/renew
        {service}: your bill of £{9-140}.## is ready. It will be paid on {2-28} {month}. No \
            action needed.
        Parcelway: your parcel from {shopname} arrives {weekday} between {8-12}:00 and {13-18}:00.
        {service}: planned work {weekday} from {1-5}am. Questions? Call us free on 08081 570###.
        {loyalty}
        Hi {name}, your car is ready at {shopname}, £{60-480} in total. We close at {17-19}:30.
        Your table for {2-9} at {diner} is booked for {weekday} {18-21}:{clockmin}. Reply C to \
            cancel.
        {service}: thank you, we received your payment of £{5-220}.## Your balance is \
            £{10-900}.##""",
    "loyalty": """{shopname}: you have collected {100-900} points, that is a £{5-50} voucher. \
            {votail}
        {shopname}: {10-50}% off everything until {2-28} {month}, show this text. {votail}
        Thank you for being a customer of {service}! You get {2-90} days free. {votail}
        {service}: win a {object}! Rate us before {2-28} {month} to enter the draw. {votail}""",
    "votail": """Call {landline}|Reply YES to use it|See {fruit}{2-99}.example|STOP to opt out
        {ref}|T&Cs apply""",
    "diner": "The Copper Pan|Larder 22|Saffron Yard|Little Anchor|Olive & Ash",
    "doctor": "Dr {name}|the dentist|the optician|the physio|nurse {name}|the vet",
    "month": "January|February|March|April|May|June|July|August|September|October|November",
}
