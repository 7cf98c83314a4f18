package app

// demoSample is a customer of the demo: what the profile is called, which trade it is in, where, and how many devices it has.
type demoSample struct {
	name, kind, region string
	size               int
}

// demoKind is a trade: devices, and what they measure, swinging around a middle with the hours of the day.
type demoKind struct {
	color    string
	weekdays bool // nothing is measured on Saturdays and Sundays
	devices  []string
	curves   []demoCurve
}

type demoCurve struct {
	variable, unit        string
	middle, swing, jitter float64
}

var demoKinds = map[string]demoKind{
	"Bakery":      {"#b5651d", false, []string{"Oven", "Proofer", "Deck oven"}, []demoCurve{{"temperature", "°C", 180, 60, 6}, {"power", "kW", 14, 9, 1}}},
	"Gardening":   {"#2f6f4f", false, []string{"Greenhouse", "Orchard", "Rose bed", "Pond"}, []demoCurve{{"soil_moisture", "%", 38, 8, 1.5}, {"temperature", "°C", 16, 7, 0.8}}},
	"Cold store":  {"#1f6f9f", false, []string{"Hall", "Dock", "Compressor"}, []demoCurve{{"temperature", "°C", -19, 1.2, 0.4}, {"door_open", "min", 6, 5, 2}}},
	"School":      {"#8f5fbf", true, []string{"Classroom", "Gym", "Canteen", "Library"}, []demoCurve{{"co2", "ppm", 720, 260, 40}, {"humidity", "%", 44, 6, 2}}},
	"Water":       {"#0f7f8f", false, []string{"Pump", "Tank", "Well"}, []demoCurve{{"level", "m", 3.4, 0.6, 0.1}, {"flow", "l/min", 120, 45, 8}}},
	"Solar":       {"#c08a00", false, []string{"Inverter", "Battery", "Meter"}, []demoCurve{{"power", "kW", 9, 9, 0.6}, {"energy", "kWh", 48, 20, 2}}},
	"Workshop":    {"#6b6f75", true, []string{"Lathe", "Press", "Compressor"}, []demoCurve{{"vibration", "mm/s", 2.4, 1.1, 0.3}, {"current", "A", 18, 11, 2}}},
	"Hotel":       {"#9f3f5f", false, []string{"Laundry", "Boiler", "Kitchen"}, []demoCurve{{"temperature", "°C", 55, 8, 1.5}, {"water", "l", 340, 180, 30}}},
	"Agriculture": {"#5f7f1f", false, []string{"Weather mast", "Silo", "Barn"}, []demoCurve{{"temperature", "°C", 12, 8, 1}, {"humidity", "%", 66, 14, 3}}},
	"Sandbox":     {"#6b6f75", true, []string{"Test device"}, []demoCurve{{"value", "", 50, 30, 5}}},
}

// demoSamples are in the order in which they were taken on; the last eight came while the story runs.
var demoSamples = []demoSample{
	{"Bakery Nord", "Bakery", "North", 4},
	{"City Gardens", "Gardening", "North", 4},
	{"Harbour Cold Store", "Cold store", "North", 3},
	{"Hillside School", "School", "North", 4},
	{"Riverside Waterworks", "Water", "South", 5},
	{"Sunfield Cooperative", "Solar", "South", 4},
	{"Miller & Sons Workshop", "Workshop", "North", 3},
	{"Hotel Bellevue", "Hotel", "South", 3},
	{"Oakridge Farm", "Agriculture", "South", 3},
	{"Old Town Bakery", "Bakery", "South", 3},
	{"Botanical Institute", "Gardening", "North", 4},
	{"Polar Foods", "Cold store", "South", 4},
	{"Lakeview College", "School", "South", 4},
	{"Spring Valley Utility", "Water", "North", 3},
	{"Southwall Solar Park", "Solar", "South", 4},
	{"Precision Gears", "Workshop", "South", 3},
	{"Hotel Post", "Hotel", "North", 3},
	{"Green Acres", "Agriculture", "North", 4},
	{"Corner Bakery", "Bakery", "North", 2},
	{"Rose Nursery", "Gardening", "South", 3},
	{"Fish Market Hall 3", "Cold store", "North", 3},
	{"Primary School West", "School", "North", 3},
	{"Mill Pond Wells", "Water", "South", 3},
	{"Roof Energy East", "Solar", "North", 3},
	{"Joinery Berg", "Workshop", "North", 2},
	{"Lodge at the Pass", "Hotel", "South", 3},
	{"Hopfield Estate", "Agriculture", "South", 3},
	{"Sourdough Club", "Bakery", "South", 2},
	{"Palm House", "Gardening", "South", 3},
	{"Berry Logistics", "Cold store", "South", 4},
	{"Music Academy", "School", "South", 3},
	{"Canal Lock 7", "Water", "North", 2},
	{"Vineyard Terrace", "Agriculture", "South", 3},
	{"Community Solar 12", "Solar", "North", 3},
	{"Steelworks Annex", "Workshop", "South", 3},
	{"Guesthouse Alma", "Hotel", "South", 2},
	{"Ice Cream Depot", "Cold store", "North", 3},
	{"Village Bakery", "Bakery", "North", 2},
	{"Allotment Society", "Gardening", "North", 3},
	{"Sandbox", "Sandbox", "North", 1},
}
