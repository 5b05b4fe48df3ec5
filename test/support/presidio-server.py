"""A Presidio analyzer on a free port of this machine, without a language model: patterns, and names and places from the
environment. Speaks what presidio-analyzer's own app.py speaks, which is not part of the package."""

import json, os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import spacy, tldextract
from presidio_analyzer import AnalyzerEngine, AnalyzerRequest, PatternRecognizer
from presidio_analyzer.nlp_engine import SpacyNlpEngine

# Otherwise it asks the internet for a list of domains, and again with every e-mail address where there is none.
tldextract.tldextract.TLD_EXTRACTOR = tldextract.TLDExtract(suffix_list_urls=())
tldextract.extract = tldextract.tldextract.TLD_EXTRACTOR


class Words(SpacyNlpEngine):
    """Words without a model. They stand for their own lemmas, so that Presidio has its context words."""

    def __init__(self):
        super().__init__(models=[{"lang_code": "en", "model_name": "blank"}])
        self.load()

    def load(self):
        self.nlp = {"en": spacy.blank("en")}

    def is_loaded(self):
        return True

    def _doc_to_nlp_artifact(self, doc, language):
        for token in doc:
            token.lemma_ = token.text.lower()
        return super()._doc_to_nlp_artifact(doc, language)


engine = AnalyzerEngine(nlp_engine=Words(), supported_languages=["en"])
for entity, words in json.loads(os.environ.get("PRESIDIO_WORDS", "{}")).items():
    engine.registry.add_recognizer(PatternRecognizer(supported_entity=entity, deny_list=words))


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        try:
            request = AnalyzerRequest(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            found = engine.analyze(
                text=request.text,
                language=request.language,
                entities=request.entities,
                score_threshold=request.score_threshold,
            )
            for result in found:
                del result.recognition_metadata
            self.answer(200, json.dumps(found, default=lambda result: result.to_dict(), sort_keys=True))
        except Exception as error:
            self.answer(500, json.dumps({"error": str(error)}))

    def answer(self, status, body):
        data = body.encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
print(f"listening on {server.server_port}", flush=True)
server.serve_forever()
