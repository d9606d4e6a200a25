"""Creates, reads, prompts and ends a call with msgraph-sdk and azure-identity.

Takes the server's https address, the callback and the user to call. Says a line for each step and waits for a line
on its input where something has to happen at the server first.
"""

import asyncio
import sys

from azure.identity import ClientSecretCredential
from kiota_abstractions.api_error import APIError
from kiota_authentication_azure.azure_identity_authentication_provider import AzureIdentityAuthenticationProvider
from msgraph import GraphRequestAdapter, GraphServiceClient
from msgraph.generated.communications.calls.item.play_prompt.play_prompt_post_request_body import (
    PlayPromptPostRequestBody,
)
from msgraph.generated.models.call import Call
from msgraph.generated.models.identity import Identity
from msgraph.generated.models.identity_set import IdentitySet
from msgraph.generated.models.invitation_participant_info import InvitationParticipantInfo
from msgraph.generated.models.media_info import MediaInfo
from msgraph.generated.models.media_prompt import MediaPrompt
from msgraph.generated.models.modality import Modality
from msgraph.generated.models.service_hosted_media_config import ServiceHostedMediaConfig

TENANT = "aa67bd4c-8475-432d-bd41-39f255720e0a"
APP = "2891555a-92ff-42e6-80fa-6e1300c6b5c6"
SECRET = "dev-secret"


def say(*words):
    print(*words, flush=True)


async def hear(expected):
    line = await asyncio.to_thread(sys.stdin.readline)
    assert line.strip() == expected, line


def client(server):
    host = server.removeprefix("https://")
    credential = ClientSecretCredential(
        TENANT, APP, SECRET, authority=server, disable_instance_discovery=True
    )
    authentication = AzureIdentityAuthenticationProvider(
        credential, scopes=["https://graph.microsoft.com/.default"], allowed_hosts=[host, host.split(":")[0]]
    )
    adapter = GraphRequestAdapter(authentication)
    adapter.base_url = f"{server}/v1.0"
    return GraphServiceClient(request_adapter=adapter)


def call_to(user, callback):
    return Call(
        callback_uri=callback,
        targets=[InvitationParticipantInfo(identity=IdentitySet(user=Identity(id=user, display_name="John")))],
        requested_modalities=[Modality.Audio],
        media_config=ServiceHostedMediaConfig(odata_type="#microsoft.graph.serviceHostedMediaConfig"),
    )


def cool_prompt():
    media = MediaInfo(uri="https://cdn.contoso.com/cool.wav")
    return PlayPromptPostRequestBody(
        prompts=[MediaPrompt(odata_type="#microsoft.graph.mediaPrompt", media_info=media)],
        client_context="from Python",
    )


async def main(server, callback, user):
    calls = client(server).communications.calls
    created = await calls.post(call_to(user, callback))
    assert isinstance(created.media_config, ServiceHostedMediaConfig), created.media_config
    assert created.source.identity.application.id == APP
    say("created", created.id)
    await hear("established")

    call = calls.by_call_id(created.id)
    shown = await call.get()
    say("read", shown.state.value)

    operation = await call.play_prompt.post(cool_prompt())
    assert operation.client_context == "from Python"
    say("prompting", operation.id)
    await hear("prompted")

    await call.delete()
    say("ended")
    await hear("terminated")
    try:
        await call.get()
    except APIError as error:
        assert error.response_status_code == 404, error
        say("gone", error.error.code)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
