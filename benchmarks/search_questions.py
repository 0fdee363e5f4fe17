"""The questions of `search.py`, put otherwise than the conversations put it, and which conversations answer each.

An intent is what the data says itself: an SGD annotation (`intent NAME`, `asks NAME` for a requested slot), a call that
tau expects (`call NAME`) or made (`made NAME`), or a pattern in the customer's hidden instruction, which is no part of
the conversation (`task REGEX`). Each question is asked of the collection that is annotated so: `sgd` or `tau`.

`DEVELOPMENT` chose the method and its parameters. `HELD_OUT` was written after that, with the method fixed, and nothing
was changed for it.
"""

DEVELOPMENT = [
    ("sgd", "intent ReserveRestaurant", "somebody wants to eat out tonight and needs a table"),
    ("sgd", "intent ReserveRestaurant", "reserve a table for dinner"),
    ("sgd", "intent SearchRoundtripFlights", "journey there and back again by air"),
    ("sgd", "intent SearchRoundtripFlights", "find a return flight for the holidays"),
    ("sgd", "intent SearchOnewayFlight", "getting from one city to another by plane without coming back"),
    ("sgd", "intent SearchOnewayFlight", "plane ticket in one direction only"),
    ("sgd", "intent GetRide", "a driver to take me across town"),
    ("sgd", "intent GetRide", "order a taxi"),
    ("sgd", "asks has_vegetarian_options", "is there food for people who eat no meat"),
    ("sgd", "asks has_vegetarian_options", "vegan meals"),
    ("sgd", "asks phone_number", "how can I ring the place up"),
    ("sgd", "asks price_range", "how much does it cost to eat there"),
    ("tau", "task cancel", "I no longer want to travel, undo my purchase"),
    ("tau", "task cancel", "I have to call off my trip"),
    ("tau", "call update_reservation_baggages", "may I take more luggage with me"),
    ("tau", "call update_reservation_baggages", "bring additional suitcases"),
    ("tau", "call update_reservation_passengers", "a different person will travel instead of the one on the ticket"),
    ("tau", "call update_reservation_passengers", "put another traveller's name on the booking"),
    ("tau", "task compensat|complain|delayed", "we were held up for hours, what do I get for the trouble"),
    ("tau", "task compensat|complain|delayed", "reimbursement because the plane was late"),
    ("tau", "task upgrade|downgrade|business", "move me to a better class of seat"),
    ("tau", "task upgrade|downgrade|business", "better seats in first class"),
    ("tau", "task insurance", "protection in case I fall ill and cannot go"),
    ("tau", "task insurance", "coverage if I get ill before travelling"),
    ("tau", "call book_reservation", "buy a ticket for a new trip"),
    ("tau", "call book_reservation", "purchase a plane ticket"),
    ("tau", "made transfer_to_human_agents", "let me talk to somebody real"),
    ("tau", "made transfer_to_human_agents", "speak to a person instead of a bot"),
    ("tau", "task gift card|certificate", "paying with vouchers"),
    ("tau", "task gold|silver", "my status in your loyalty programme"),
    ("tau", "task refund", "give me my money back"),
    ("tau", "task nonstop|non-stop|direct", "I would rather not stop on the way"),
    ("tau", r"task \bsick\b|passed away|emergency", "something bad happened in my family"),
]

HELD_OUT = [
    ("sgd", "intent ReserveRestaurant", "wants to go out for a meal and have a place kept for the party"),
    ("sgd", "intent SearchRoundtripFlights", "needs tickets both for the way out and for the way home"),
    ("sgd", "intent SearchOnewayFlight", "looking for airfare to another city without a trip home"),
    ("sgd", "intent GetRide", "hail a car to get to an address"),
    ("tau", "task cancel", "asks to scrap a trip that was already paid"),
    ("tau", "call update_reservation_baggages", "wants to check in more suitcases than before"),
    ("tau", "call update_reservation_passengers", "correct who is travelling on the ticket"),
    ("tau", "task compensat|complain|delayed", "demands something in return for a late departure"),
    ("tau", "call update_reservation_flights", "move the journey to other planes or another class"),
    ("tau", "call book_reservation", "wants to purchase new airline tickets"),
]
