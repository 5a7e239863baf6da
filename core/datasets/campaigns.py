"""Spam campaigns for the message generator, in the grammar of `phrases`: pure data."""

SPAM_SHARED = {
    "shortcode": "1####",
    "premium": "0909 8790###|09098790###",
    "freephone": "08081 570###|08081570###|0808 157 0###",
    "anynumber": "{freephone}|{premium}|{mobile}|{landline}",
    "host": """{hostword}{hostword}.example|{hostword}-{hostword}.test|{hostword}{2-99}.example
        www.{hostword}.test""",
    "hostword": """win|my|top|go|fast|easy|best|now|link|hub|zone|club|plus|you|one|direct|box|mob
        net|get""",
    "path": "{letter}{letter}#{letter}#|{hostword}|{letter}##{letter}|{hostword}/####",
    "letter": "a|b|c|d|e|f|g|h|k|m|n|p|q|r|s|t|v|w|x|y|z",
    "link": "{host}/{path}|http://{host}/{path}|https://{host}/{path}|{host}",
    "keyword": "WIN|GO|YES|TONE|HOT|LOVE|CASH|PLAY|CLAIM|MOB|STAR|GOLD",
    "stop": """Text STOP to end|To opt out send STOP to {shortcode}|stop? txt STOP|T&Cs {host}
        18+ only
        Unsubscribe: STOP to {shortcode}|Ts&Cs apply|{20-150}p/msg|Cost £{1-5} per msg
        {50-150}ppm""",
    "hurry": """Offer ends {day}|Hurry|Don't miss out|Last chance|Expires in {12-72} hrs|Act now
        Today only
        Final notice|Only {2-50} left|Valid until {2-28} {month}""",
    "shout": """URGENT!|WINNER!!|Congratulations!|GOOD NEWS!|Attention!|FREE MSG:|Dear customer,
        Wow!|Important:""",
    "bigmoney": "£{1-9}00|£{1-9},000|£{1-20}0,000|${1-9}000|£{150-950}|{500-5000} pounds|£{2-10}k",
    "ref": """ref {letter}{letter}####|code {100-9999}|claim no. {1000-99999}|ID {letter}#####
        PIN ####""",
}

BASE = {
    "prize": """{shout} You have won {award}. Call {anynumber} now to claim. {ref}. {stop}
        {shout?} your mobile number was selected for {award}. To claim text {keyword} to \
            {shortcode}. {stop}
        {award} is waiting for you! Claim at {link} {hurry?}. {stop}
        {shout} {nth} attempt to contact you about {award}. Phone {anynumber} {ref}
        Win {award}! Answer: which is bigger, {animal} or {animal}? Txt A or B to {shortcode}. \
            {stop}
        You are today's lucky customer! {award} guaranteed, ring {premium}. {stop}
        {name}, you are on our winners list: {award}. Reply {keyword} to collect. {hurry?} {stop}
        {shout?} as a valued customer you get {award} free. Visit {link} and enter {ref}. {hurry?}
        {loyalty}
        Weekly draw results: {ref} wins {award}. Unclaimed! Call {freephone} before {weekday}.
        {greet}, your number came up in the draw {past}, call me back on {premium} about your \
            prize""",
    "award": """a {bigmoney} cash prize|{bigmoney} cash|a holiday for two to {resort}
        a new {gadget}|{bigmoney} of vouchers
        a {bigmoney} shopping spree|tickets to the cup final|a bonus {gadget} or {bigmoney}
        our weekly prize of {bigmoney}""",
    "nth": "2nd|3rd|final|last",
    "resort": "Malta|Tenerife|Crete|Cancun|Mauritius|Cyprus|Las Vegas|Bali",
    "gadget": """camera phone|tablet|games console|smart tv|video phone|laptop|music player
        smartwatch""",
    "ringtone": """Get {tone} for your mobile! Txt {keyword} to {shortcode}. {stop}
        {shout?} {tone} FREE this week, reply {keyword} to {shortcode}. {stop}
        Your first download is on us: {tone}. Get it at {link} {stop}
        {tone} and more every week for only {50-450}p! Send {keyword} to {shortcode} now. {stop}
        Top {5-40} chart tones, {tone} and more: {link}. {hurry?} {stop}
        Your friend {name} sent you {tone}! To hear it reply {keyword}. {stop}
        Upgrade your mobile: {200-900} free mins, {tone} and a {gadget}. Call {freephone} {hurry?}
        Thanks for your order of {tone}. To get it txt {keyword} {1-9} to {shortcode}. {stop}
        Bored of your old phone? {tone} from {50-150}p, {link} {stop}
        {greet}, heard my new tone? get it too, txt {keyword} {shortcode} {stop}""",
    "tone": """a polyphonic ringtone|the no. {1-9} hit tone|{3-20} ringtones
        a funny {animal} ringtone|{2-12} wallpapers
        the {animal} dance tone|a real voice tone|{3-10} java games|a video ringtone|club tones""",
    "dating": """Someone near you fancies you! Find out who, call {premium}. {stop}
        {name}, {20-45}, wants to meet you {day}. Reply {keyword} to chat. {stop}
        {5-300} singles in your area are online now. Join free at {link} {stop}
        Hi sexy, it's {name}. I saw your profile, txt me back on {shortcode} {stop}
        A secret admirer is thinking of you. To see who, text {keyword} to {shortcode}. {stop}
        {greet}, i'm {name}, new in town and lonely. Chat with me live at {link} {stop}
        You have {1-9} new flirt messages. Read them at {link}. {stop}
        {greet}, are you single? i'm {mood} and {doing} {day}. my pics are at {link}
        {greet} it's {name}, we met at {place} {past}? my number is {premium}, call me tonight x
        {greet} remember me from {place}? want to have fun {day}? reply {keyword} x
        {greet}, {stranger}
        Chat with {name} & {name} live! {50-150}p per min, ring {premium}. {stop}
        Dating made easy: send your age and town to {shortcode}, first {2-9} msgs free. {stop}""",
    "loan": """Need cash? Borrow up to {bigmoney} {day}, bad credit ok. Call {freephone}. {stop}
        {shout?} you are pre-approved for a loan of {bigmoney}. Apply at {link} {hurry?}
        Debts? We can write off up to {60-95}%. Reply {keyword} for a free call. {stop}
        {name}, your loan of {bigmoney} is approved. No credit check! Confirm on {link}. {stop}
        Cash in {10-60} minutes, from {bigmoney}. Txt {keyword} to {shortcode}. {stop}
        Had an accident? You may be entitled to {bigmoney}. Reply CLAIM, or call {freephone}. \
            {stop}
        {callback}
        Payday too far? {bigmoney} in your account {day}. {link} {stop}
        Our records show you may be owed {bigmoney} for mis-sold insurance. Reply {keyword} to \
            claim. {stop}
        {greet} it's {name} from the loan team, tried to call you {past}. Your {bigmoney} is \
            ready, ring {freephone}
        Consolidate your debts into one low payment, rates from {2-9}.{1-9}%. {freephone} \
            {stop}""",
}

NEW = {
    "crypto": """{greet} it's {name}, remember i told you about {coin} at {place}? made {gain} \
            since {weekday}, ask me how
        {greet?} still {doing}? i quit my job thanks to {coin}. {mentor} shows you how, {chatlink}
        {name} added you to the {coin} group. {mentor} posts signals at {time}, {chatlink}
        {greet} sorry, wrong person! i'm {name}, i trade {coin} in {city}. what do you do?
        {coin} is up {4-60}% since {weekday}. {mentor} says it doubles by {weekday}, are you in? \
            {chatlink}
        {greet?} my {mentor2} turned {stake} into {gain} with {coin} {past}. i can show you {day}
        your {wallet} holds {0-3}.#### {coin} that nobody withdrew. sign in before {weekday}: \
            {chatlink}
        {wallet}: new device from {city} wants to withdraw {0-3}.### {coin}. not you? secure it \
            {chatlink}
        {coin} airdrop for early holders, connect your {wallet} by {day} {chatlink}
        {greet} {name} here, i'm learning {coin} trading with {mentor}. {gain} in {minutes}! come \
            and watch {day}
        trading bot buys {coin} while you sleep, {3-19}% a day. start with {stake} {chatlink}
        {greet?} did you look at the {coin} platform i sent {past}? {mentor} closes the group {day}
        mining {coin} from your laptop is easy, {name} earns {gain} a week. guide: {chatlink}
        {coin} presale starts {day} at {time}. {mentor} got {kin} in, seats are few {chatlink}""",
    "coin": """bitcoin|BTC|ethereum|ETH|crypto|USDT|stablecoin|altcoins|solana|doge tokens
        new tokens""",
    "wallet": "wallet|crypto wallet|cold wallet|exchange account|BTC wallet|staking account",
    "gain": """{2-40}x|{10-90}% profit|{2-9} thousand|{1-4}.{1-9} BTC|a month's pay
        {20-300}% returns""",
    "stake": "{50-300} usdt|a few hundred|{100-900} euros|my savings|0.0{1-9} BTC",
    "mentor": """my mentor|analyst {name}|professor {name}|the trading teacher|coach {name}
        our broker""",
    "mentor2": "mentor|uncle|broker|old classmate|neighbour|trading coach",
    "city": "Singapore|Lisbon|Dubai|Toronto|Hong Kong|Vienna|Miami|Zurich|Warsaw",
    "chatlink": """{chain}.example|{chain}-{chain}.test
        https://{chain}{chain}.example/{letter}{letter}##|{chain}.test/{chain}""",
    "chain": "coin|chain|vault|bull|trade|ledger|moon|block|stake|yield|defi|signal",
    "parcel": """{courier}: your parcel {track} could not be delivered, {problem}. Reschedule: \
            {parcellink}
        {courier}: a customs fee of £{1-3}.## is due for {track}. Settle it at {parcellink}
        Your package is held at the {city} depot because {problem}. Update your address {parcellink}
        {greet} this is the driver from {courier}, nobody at home. choose a new slot {parcellink}
        {courier}: delivery of {track} {weekday} between {8-12}:00 and {13-18}:00. Confirm house \
            number: {parcellink}
        Redelivery of {track} costs £{1-2}.##, otherwise it returns to {shopname} on {weekday}. \
            {parcellink}
        We left {track} in a safe place, see the photo: {parcellink} {courier}
        {greet?} {name}, your {object} from {shopname} is waiting, {problem} {parcellink}""",
    "courier": "Parcelway|Quickdrop|Mailfleet|Norpost|Depot24|Doorstep Couriers",
    "track": "{letter}{letter}#########|no. ########|shipment ######|PW#######",
    "problem": """the address is incomplete|nobody was at home|the label is damaged
        postage is missing|the postcode is wrong""",
    "parcellink": """{ship}-{ship}.example/{letter}###|https://{ship}.test/{letter}{letter}##
        {ship}{ship}.example""",
    "ship": "track|parcel|post|depot|redeliver|customs|courier|slot|mail",
    "tax_refund": """{office}: you are due a refund of £{60-900}.## for {taxyear}. Submit your \
            details {taxlink}
        {office}: your {taxyear} return was recalculated. Amount overpaid £{60-900}.##. {taxlink}
        {name}, your tax rebate could not be paid to your account. Check your bank details: \
            {taxlink}
        {office} notice: a penalty of £{80-900} applies from {weekday} unless the form is \
            completed {taxlink}
        Council tax band reassessed for {street}: refund £{90-900}.## {taxlink} {office}
        {office}: your tax code changes on {2-28} {month}. Review your refund {taxlink}
        {greet?}, did you get your tax rebate too? {name} got £{90-900}, the form is here {taxlink}
        Energy support payment of £{100-600} is pending for {street}. Register by {2-28} {month}: \
            {taxlink}""",
    "office": "Tax Office|Revenue Service|Treasury Online|Tax & Customs|Revenue Online",
    "taxyear": "20{18-25}|the year 20{18-25}|20{18-25}/26|last year",
    "taxlink": """{tax}-{tax}.example/{letter}###|https://{tax}.test/{letter}{letter}##
        {tax}{tax}.example""",
    "tax": "tax|refund|gov|rebate|revenue|return|treasury|form",
    "bank_alert": """{bank}: a payment of £{40-900}.## to {name} was set up {past}. Not you? \
            {banklink}
        {bank}: your card was used at {shopname}, £{20-700}.##. If this was not you cancel it at \
            {banklink}
        {bank}: a new device signed in from {city} at {10-22}:{clockmin}. Block it: {banklink}
        Your {bank} account is restricted. Verify your identity by {weekday} {banklink}
        {bank} security: {name} was added as a payee. Remove this payee at {banklink}
        {bank}: your one time code was entered wrong {2-6} times. Restore access {banklink}
        This is {name} from the fraud team at {bank}. Move your balance to a safe account, i will \
            ring at {time}
        hi {mumdad}, my phone broke, this is my new number. can you pay {pounds} for me {day}? \
            {mobile}""",
    "mumdad": "mum|dad|gran|mama|auntie",
    "bank": "Harbour Bank|Kitepay|First Meadow Bank|Union & Vale|Tarn Bank|Northgate Savings",
    "banklink": """{teller}-{teller}.example/{letter}###|https://{teller}.test/{letter}{letter}##
        {teller}{teller}.example""",
    "teller": "secure|bank|verify|payee|login|account|online|card|device",
}
