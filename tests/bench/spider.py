# The peer of tests/bench/crawl.mjs: follows every link of one host, robots on, 16 at once, and keeps
# each page's title and text, as the job it is compared with does.
import re

import scrapy
from scrapy.linkextractors import LinkExtractor


class Spider(scrapy.Spider):
    name = "bench"
    custom_settings = {
        "ROBOTSTXT_OBEY": True,
        "CONCURRENT_REQUESTS": 16,
        "CONCURRENT_REQUESTS_PER_DOMAIN": 16,
        "LOG_LEVEL": "WARNING",
        "TELNETCONSOLE_ENABLED": False,
        "HTTPERROR_ALLOW_ALL": True,
    }

    def __init__(self, start=None, **kwargs):
        super().__init__(**kwargs)
        self.start_urls = [start]
        self.links = LinkExtractor(allow=re.escape(start))

    def parse(self, response):
        if not isinstance(response, scrapy.http.HtmlResponse):
            return
        for link in self.links.extract_links(response):
            yield scrapy.Request(link.url.split("#")[0])
        if response.status == 200:
            yield {
                "url": response.url,
                "title": response.css("title::text").get(),
                "text": " ".join(response.css("body ::text").getall()),
            }
