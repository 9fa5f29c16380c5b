"""What students copy: each snippet with the address of this very proxy in it."""

import json
import shlex
from dataclasses import dataclass

from swsllm_nb.proxy.offer import Offer
from swsllm_nb.proxy.page.wheel import own_version, wheel_name

__all__ = ["Snippets", "snippets_for"]


@dataclass(frozen=True)
class Snippets:
    """Texts to copy, for one base URL (with a slash at its end) and one model."""

    base_url: str
    model: str

    @property
    def package_url(self) -> str:
        return f"{self.base_url}{wheel_name()}"

    @property
    def package_version(self) -> str:
        return own_version()

    @property
    def install_unix(self) -> str:
        return f'python3 -m pip install "{self.package_url}"'

    @property
    def install_windows(self) -> str:
        return f'py -m pip install "{self.package_url}"'

    @property
    def install_hub(self) -> str:
        return f"%pip install {self.package_url}"

    @property
    def env_file(self) -> str:
        return self.env_file_with("sws-...")

    def env_file_with(self, key: str) -> str:
        return f"SWSLLM_BASE_URL={self.base_url}\nSWSLLM_API_KEY={key}"

    @property
    def gitignore(self) -> str:
        return ".env"

    @property
    def notebook(self) -> str:
        return "%load_ext swsllm_nb"

    @property
    def cell(self) -> str:
        return "%%llm\nWhat is a token?"

    @property
    def openai(self) -> str:
        return f"""\
# Once, in a terminal: pip install openai python-dotenv
import os
from dotenv import load_dotenv
from openai import OpenAI

load_dotenv()
client = OpenAI(base_url="{self.base_url}", api_key=os.environ["SWSLLM_API_KEY"])
completion = client.chat.completions.create(
    model="{self.model}",
    messages=[{{"role": "user", "content": "What is a token?"}}],
)
print(completion.choices[0].message.content)"""

    @property
    def requests(self) -> str:
        return f"""\
# Once, in a terminal: pip install requests python-dotenv
import os
import requests
from dotenv import load_dotenv

load_dotenv()
answer = requests.post(
    "{self.base_url}chat/completions",
    headers={{"Authorization": "Bearer " + os.environ["SWSLLM_API_KEY"]}},
    json={{
        "model": "{self.model}",
        "messages": [{{"role": "user", "content": "What is a token?"}}],
    }},
    timeout=600,
)
print(answer.json()["choices"][0]["message"]["content"])"""

    @property
    def curl_unix(self) -> str:
        return f"""\
set -a; . ./.env; set +a
curl {self.base_url}chat/completions \\
  -H "Authorization: Bearer $SWSLLM_API_KEY" \\
  -H "Content-Type: application/json" \\
  -d {shlex.quote(self._body)}"""

    @property
    def curl_powershell(self) -> str:
        """The body goes in by a pipe: which quotes inside of it arrive depends on the version.

        https://learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_parsing
        """
        return f"""\
Get-Content .env | Where-Object {{ $_ -match '=' }} | ForEach-Object {{
  $name, $value = $_ -split '=', 2
  Set-Item "Env:$name" $value
}}
'{self._body.replace("'", "''")}' |
  curl.exe {self.base_url}chat/completions `
  -H "Authorization: Bearer $env:SWSLLM_API_KEY" `
  -H "Content-Type: application/json" `
  --data-binary '@-'"""

    @property
    def _body(self) -> str:
        asked = [{"role": "user", "content": "What is a token?"}]
        return json.dumps({"model": self.model, "messages": asked})


def snippets_for(base_url: str, offer: Offer) -> Snippets:
    """With the model that is used unless one is chosen, if it is answered today."""
    answered = [model for model in offer.catalogue.models if offer.serving(model)]
    answered.sort(key=lambda model: not model.default)
    return Snippets(base_url, answered[0].id if answered else "model-snapshot")
