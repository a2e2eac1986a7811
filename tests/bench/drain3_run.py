"""Feeds the first lines of a log to Drain3: drain3_run.py INI LOG LINES. Its cost is measured from outside."""
import sys
from drain3 import TemplateMiner
from drain3.template_miner_config import TemplateMinerConfig
config = TemplateMinerConfig()
config.load(sys.argv[1])
config.profiling_enabled = False
miner = TemplateMiner(config=config)
for number, line in enumerate(open(sys.argv[2], errors="replace")):
    if number == int(sys.argv[3]):
        break
    miner.add_log_message(line.rstrip("\n"))
